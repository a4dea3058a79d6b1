#include "workers/fd_message.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace volumeter {
namespace {

struct FdMessage {
  FdMessage() {
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
  }
  struct {
    int code = 0;
    std::array<char, 256> text{};  // not empty: an error
  } error;
  iovec part{&error, sizeof error};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMostFds * sizeof(int))> control{};
  msghdr header{};
};

}  // namespace

bool send_fds(int socket, const Result<std::vector<int>>& fds) {
  FdMessage message;
  message.header.msg_controllen = 0;
  if (!fds) {
    message.error.code = fds.error().code;
    message.error.text[0] = '?';
    fds.error().message.copy(message.error.text.data(), message.error.text.size() - 1);
  } else if (!fds->empty() && fds->size() <= kMostFds) {
    const std::size_t bytes = fds->size() * sizeof(int);
    message.header.msg_controllen = CMSG_SPACE(bytes);
    cmsghdr* rights = CMSG_FIRSTHDR(&message.header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(bytes);
    std::memcpy(CMSG_DATA(rights), fds->data(), bytes);
  }
  return ::sendmsg(socket, &message.header, MSG_NOSIGNAL) > 0;
}

Result<std::vector<UniqueFd>> receive_fds(int socket) {
  FdMessage message;
  const ssize_t n = ::recvmsg(socket, &message.header, MSG_CMSG_CLOEXEC);
  if (n <= 0) return Error::from_errno("receive open files", n < 0 ? errno : ECHILD);
  std::vector<UniqueFd> fds;
  const cmsghdr* rights = CMSG_FIRSTHDR(&message.header);
  if (rights != nullptr && rights->cmsg_type == SCM_RIGHTS) {
    const std::size_t count = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int number = -1;
      std::memcpy(&number, CMSG_DATA(rights) + i * sizeof(int), sizeof number);
      fds.emplace_back(number);
    }
  }
  message.error.text.back() = '\0';
  if (message.error.text[0] != '\0') return Error{message.error.text.data(), message.error.code};
  return fds;
}

}  // namespace volumeter
