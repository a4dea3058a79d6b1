// A gzip stream put together from parts that were compressed on their own, so that a part that
// hasn't changed needn't be compressed again.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace volumeter {

// A compressor that is set up once: that takes longer than compressing a small text.
class Deflater {
 public:
  Deflater();
  ~Deflater();
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  // `text` as deflate blocks that end on a byte boundary and refer to nothing before them
  // (Z_FULL_FLUSH). `crc` gets its CRC-32.
  std::string chunk(std::string_view text, std::uint32_t& crc);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

class GzipStream {
 public:
  GzipStream();
  void append(std::string_view deflated, std::uint32_t crc, std::size_t text_size);
  std::string finish() &&;

 private:
  std::string out_;
  std::uint32_t crc_ = 0;
  std::uint32_t size_ = 0;  // modulo 2^32, as RFC 1952 wants it
};

std::string gzip(std::string_view text);

}  // namespace volumeter
