#include <cerrno>
#include <cstring>

#include "measure/usage/deleted_scan.h"

namespace volumeter {
namespace {

template <class T>
void put(std::vector<std::byte>& out, const T& value) {
  const auto* bytes = reinterpret_cast<const std::byte*>(&value);
  out.insert(out.end(), bytes, bytes + sizeof value);
}

class Reader {
 public:
  explicit Reader(const std::vector<std::byte>& message) : message_(message) {}
  template <class T>
  bool get(T& value) {
    if (message_.size() - at_ < sizeof value) return false;
    std::memcpy(&value, message_.data() + at_, sizeof value);
    at_ += sizeof value;
    return true;
  }
  bool get(std::string& text, std::size_t size) {
    if (message_.size() - at_ < size) return false;
    text.assign(reinterpret_cast<const char*>(message_.data()) + at_, size);
    at_ += size;
    return true;
  }
  [[nodiscard]] bool ended() const { return at_ == message_.size(); }

 private:
  const std::vector<std::byte>& message_;
  std::size_t at_ = 0;
};

const Error kMalformed{"a message that makes no sense", EBADMSG};

}  // namespace

std::vector<std::byte> encode_places(const std::vector<DeletedPlace>& places) {
  std::vector<std::byte> out;
  for (const DeletedPlace& place : places) {
    put(out, place.device);
    put(out, place.inode);
    put(out, static_cast<std::uint32_t>(place.root.size()));
    const auto* root = reinterpret_cast<const std::byte*>(place.root.data());
    out.insert(out.end(), root, root + place.root.size());
  }
  return out;
}

Result<std::vector<DeletedPlace>> decode_places(const std::vector<std::byte>& message) {
  std::vector<DeletedPlace> places;
  Reader in(message);
  while (!in.ended()) {
    DeletedPlace place;
    std::uint32_t size = 0;
    if (!in.get(place.device) || !in.get(place.inode) || !in.get(size) ||
        !in.get(place.root, size)) {
      return kMalformed;
    }
    places.push_back(std::move(place));
  }
  return places;
}

std::vector<std::byte> encode_answer(const DeletedAnswer& answer) {
  std::vector<std::byte> out;
  put(out, answer.error);
  for (const std::uint64_t bytes : answer.bytes) put(out, bytes);
  return out;
}

Result<DeletedAnswer> decode_answer(const std::vector<std::byte>& message) {
  DeletedAnswer answer;
  Reader in(message);
  if (!in.get(answer.error)) return kMalformed;
  while (!in.ended()) {
    std::uint64_t bytes = 0;
    if (!in.get(bytes)) return kMalformed;
    answer.bytes.push_back(bytes);
  }
  return answer;
}

}  // namespace volumeter
