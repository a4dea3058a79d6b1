#include "exposition/gzip.h"

#include <zlib.h>

#include <new>

namespace volumeter {
namespace {

void append_little_endian(std::string& out, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) out += static_cast<char>((value >> (8 * i)) & 0xFFU);
}

}  // namespace

struct Deflater::State {
  z_stream z{};
};

Deflater::Deflater() : state_(std::make_unique<State>()) {
  constexpr int kRawDeflate = -15;
  constexpr int kLevel = 1;  // metrics compress well at any level
  if (deflateInit2(&state_->z, kLevel, Z_DEFLATED, kRawDeflate, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::bad_alloc();
  }
}

Deflater::~Deflater() { ::deflateEnd(&state_->z); }

std::string Deflater::chunk(std::string_view text, std::uint32_t& crc) {
  const auto* bytes = reinterpret_cast<const Bytef*>(text.data());
  crc = static_cast<std::uint32_t>(::crc32_z(0, bytes, text.size()));
  z_stream& z = state_->z;
  ::deflateReset(&z);
  // The bound doesn't count the flush's empty block.
  std::string out(deflateBound(&z, text.size()) + 16, '\0');
  z.next_in = const_cast<Bytef*>(bytes);
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  ::deflate(&z, Z_FULL_FLUSH);
  out.resize(z.total_out);
  out.shrink_to_fit();
  return out;
}

GzipStream::GzipStream() : out_("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", 10) {}

void GzipStream::append(std::string_view deflated, std::uint32_t crc, std::size_t text_size) {
  out_ += deflated;
  crc_ = static_cast<std::uint32_t>(::crc32_combine(crc_, crc, static_cast<z_off_t>(text_size)));
  size_ += static_cast<std::uint32_t>(text_size);
}

std::string GzipStream::finish() && {
  out_ += std::string_view("\x03\x00", 2);  // a final, empty block
  append_little_endian(out_, crc_);
  append_little_endian(out_, size_);
  return std::move(out_);
}

std::string gzip(std::string_view text) {
  GzipStream stream;
  std::uint32_t crc = 0;
  const std::string deflated = Deflater().chunk(text, crc);
  stream.append(deflated, crc, text.size());
  return std::move(stream).finish();
}

}  // namespace volumeter
