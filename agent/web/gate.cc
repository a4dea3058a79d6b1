#include "web/gate.h"

#include <fstream>
#include <sstream>

#include "volumeter/log.h"

namespace volumeter {
namespace {

Response refusal(int status, const std::string& why) {
  return {status, "text/plain; charset=utf-8", why + "\n", false};
}

bool is_health(const std::string& path) {
  return path == "/healthz" || path == "/-/healthy" || path == "/readyz" || path == "/-/ready";
}

struct Credentials {
  std::string name;
  std::string password;
};

std::optional<Credentials> credentials_of(MHD_Connection* connection) {
  char* password = nullptr;
  char* name = MHD_basic_auth_get_username_password(connection, &password);
  std::optional<Credentials> out;
  if (name != nullptr && password != nullptr) out = Credentials{name, password};
  if (name != nullptr) MHD_free(name);
  if (password != nullptr) MHD_free(password);
  return out;
}

Result<std::string> slurp(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return Error::from_errno("read " + path, errno);
  return text.str();
}

}  // namespace

Result<std::unique_ptr<Gate>> Gate::open(const std::string& config_file) {
  auto gate = std::make_unique<Gate>();
  if (config_file.empty()) return gate;
  gate->file_ = config_file;
  auto text = slurp(config_file);
  if (!text) return text.error();
  gate->text_ = text.value();
  auto config = parse_web_config(gate->text_, config_file);
  if (!config) return config.error();
  if (config->tls) {
    auto tls = Tls::start(*config->tls);
    if (!tls) return Error{config_file + ": " + tls.error().message};
    gate->tls_ = std::move(tls).value();
  }
  gate->headers_ = config->headers;
  gate->asks_password_ = !config->users.empty();
  gate->auth_.set_users(config->users);
  return gate;
}

std::optional<Response> Gate::refuse(MHD_Connection* connection, const std::string& path) {
  if (is_health(path)) return std::nullopt;
  if (tls_ != nullptr) {
    const auto* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    const std::string why = tls_->refuse(static_cast<gnutls_session_t>(info->tls_session));
    if (!why.empty()) return refusal(403, why);
  }
  if (!asks_password_) return std::nullopt;
  const auto given = credentials_of(connection);
  if (!given) return refusal(401, "a name and a password are required");
  switch (auth_.check(given->name, given->password, BasicAuth::Clock::now())) {
    case BasicAuth::Answer::kAllowed:
      return std::nullopt;
    case BasicAuth::Answer::kTooMany:
      return refusal(429, "too many wrong passwords");
    case BasicAuth::Answer::kRefused:
      break;
  }
  return refusal(401, "wrong name or password");
}

void Gate::refresh() {
  if (tls_ != nullptr) tls_->refresh();
  if (file_.empty()) return;
  const auto text = slurp(file_);
  if (text && text.value() == text_) return;
  const auto config =
      text ? parse_web_config(text.value(), file_) : Result<WebConfig>(text.error());
  if (text) text_ = text.value();
  // Without a password where there was one would be a surprise: who wants that starts anew.
  const bool opens = config && asks_password_ && config->users.empty();
  if (!config || opens) {
    log(LogLevel::kError, "the web configuration is not taken, the old one stays",
        {{"error", config ? file_ + ": basic_auth_users is gone" : config.error().message}});
    return;
  }
  auth_.set_users(config->users);
  asks_password_ = !config->users.empty();
  log(LogLevel::kInfo, "new users of the web configuration; its other parts need a restart",
      {{"path", file_}});
}

}  // namespace volumeter
