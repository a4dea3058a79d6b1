// `--web.config.file`: TLS and basic authentication, in the format of Prometheus' exporter-toolkit
// (docs/web-configuration.md there), so that one file serves all of a node's exporters.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "volumeter/result.h"

namespace volumeter {

enum class ClientCertificate { kIgnored, kRequested, kRequired, kVerifiedIfGiven, kVerified };

struct TlsConfig {
  // PEM files. Paths in the file are relative to its directory; here they are whole.
  std::string certificate;
  std::string key;
  std::string client_ca;  // empty: the system's
  ClientCertificate client = ClientCertificate::kIgnored;
  std::vector<std::string> client_names;  // one of them must be in the client's certificate
  int min_version = 12;                   // TLS 1.0 is 10
  int max_version = 13;
};

struct WebConfig {
  std::optional<TlsConfig> tls;
  std::map<std::string, std::string> users;  // bcrypt hashes by name; empty: no authentication
  std::map<std::string, std::string> headers;
};

// `path` is named in errors ("web.yml:3: ..."), with the line, and relative paths begin there.
Result<WebConfig> parse_web_config(const std::string& text, const std::string& path);
Result<WebConfig> read_web_config(const std::string& path);

}  // namespace volumeter
