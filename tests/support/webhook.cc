#include "support/webhook.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>

#include <cstdlib>
#include <mutex>

namespace volumeter::test {

struct Webhook::State {
  std::mutex mutex;
  std::vector<Post> posts;
  MHD_Daemon* daemon = nullptr;
};

namespace {

MHD_Result answer(MHD_Connection* connection) {
  MHD_Response* response = MHD_create_response_from_buffer(0, nullptr, MHD_RESPMEM_PERSISTENT);
  // What PagerDuty answers; Slack takes any 2xx for one.
  const MHD_Result result = MHD_queue_response(connection, MHD_HTTP_ACCEPTED, response);
  MHD_destroy_response(response);
  return result;
}

MHD_Result take(void* self, MHD_Connection* connection, const char* url, const char*, const char*,
                const char* data, std::size_t* size, void** context) {
  auto& state = *static_cast<Webhook::State*>(self);
  auto* body = static_cast<std::string*>(*context);
  if (body == nullptr) {
    *context = new std::string;
    return MHD_YES;
  }
  if (*size > 0) {
    body->append(data, *size);
    *size = 0;
    return MHD_YES;
  }
  const std::lock_guard lock(state.mutex);
  state.posts.push_back({std::chrono::steady_clock::now(), url, *body});
  return answer(connection);
}

void forget(void*, MHD_Connection*, void** context, MHD_RequestTerminationCode) {
  delete static_cast<std::string*>(*context);
}

}  // namespace

Webhook::Webhook() : state_(std::make_unique<State>()) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  state_->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, nullptr, nullptr, take,
                                    state_.get(), MHD_OPTION_SOCK_ADDR, &address,
                                    MHD_OPTION_NOTIFY_COMPLETED, forget, nullptr, MHD_OPTION_END);
  if (state_->daemon == nullptr) std::abort();
}

Webhook::~Webhook() { MHD_stop_daemon(state_->daemon); }

std::string Webhook::url(const std::string& path) const {
  const MHD_DaemonInfo* info = MHD_get_daemon_info(state_->daemon, MHD_DAEMON_INFO_BIND_PORT);
  return "http://127.0.0.1:" + std::to_string(info->port) + path;
}

std::vector<Webhook::Post> Webhook::posts() const {
  const std::lock_guard lock(state_->mutex);
  return state_->posts;
}

}  // namespace volumeter::test
