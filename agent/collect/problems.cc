#include "collect/problems.h"

#include <cerrno>
#include <cstring>

#include "volumeter/measurer.h"

namespace volumeter {

std::string reason_of(int error) {
  switch (error) {
    case kNotVisible:
      return "not_visible";
    case ENOENT:
    case ENOTDIR:
      return "not_found";
    case EACCES:
    case EPERM:
      return "permission";
    case ELOOP:
      return "symlink";
    case EIO:
      return "io";
    case ESTALE:
      return "stale_handle";
    case ENOTCONN:
    case ECONNABORTED:
    case ECONNREFUSED:
    case EHOSTDOWN:
    case ETIMEDOUT:
      return "server_gone";
    default:
      return "other";
  }
}

std::string problem_of(int error) {
  if (error == kNotVisible) {
    return "another filesystem answers at this path: is the host's root bound with "
           "HostToContainer propagation?";
  }
  return std::strerror(error);
}

bool leads_through_link(const Target& target, int error) {
  return error == ELOOP && !target.below.empty();
}

std::string reason_not_to_probe(int error) {
  switch (error) {
    case EROFS:
      return "read_only";
    case ENOSPC:
    case EDQUOT:
      return "full";
    case EOPNOTSUPP:
    case EINVAL:
    case EISDIR:
    case ENOSYS:
      return "unsupported";
    case EACCES:
    case EPERM:
      return "not_permitted";
    case EEXIST:
      return "name_taken";
    case ENOENT:
    case kNotVisible:
      return "not_visible";
    default:
      return {};
  }
}

}  // namespace volumeter
