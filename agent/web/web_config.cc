#include "web/web_config.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <stdexcept>

namespace volumeter {
namespace {

// Thrown within this file only: a walk through a tree has many places to leave from.
struct Wrong : std::runtime_error {
  Wrong(const YAML::Mark& mark, const std::string& what)
      : std::runtime_error(what), line(mark.line + 1) {}
  int line;
};

using Setter = std::function<void(const YAML::Node&)>;
using Settings = std::map<std::string, Setter>;

std::string scalar(const YAML::Node& node) {
  if (!node.IsScalar()) throw Wrong(node.Mark(), "a text is expected here");
  return node.Scalar();
}

std::string names_of(const Settings& settings) {
  std::string names;
  for (const auto& [name, setter] : settings) names += (names.empty() ? "" : ", ") + name;
  return names;
}

void read_mapping(const YAML::Node& node, const std::string& where, const Settings& settings) {
  if (node.IsNull()) return;
  if (!node.IsMap()) throw Wrong(node.Mark(), where + " is not a mapping");
  std::map<std::string, int> seen;
  for (const auto& entry : node) {
    const std::string name = scalar(entry.first);
    const auto setting = settings.find(name);
    if (setting == settings.end()) {
      throw Wrong(entry.first.Mark(), "\"" + name + "\" is not known in " + where +
                                          "; allowed are " + names_of(settings));
    }
    if (++seen[name] > 1) throw Wrong(entry.first.Mark(), name + " is there twice");
    setting->second(entry.second);
  }
}

template <class T>
T one_of(const YAML::Node& node, const std::map<std::string, T>& choices) {
  const std::string text = scalar(node);
  const auto found = choices.find(text);
  if (found != choices.end()) return found->second;
  std::string names;
  for (const auto& [name, value] : choices) names += (names.empty() ? "" : ", ") + name;
  throw Wrong(node.Mark(), "\"" + text + "\" is not allowed here; allowed are " + names);
}

Setter refused(const std::string& why) {
  return [why](const YAML::Node& node) { throw Wrong(node.Mark(), why); };
}

const std::map<std::string, ClientCertificate> kClientAuth = {
    {"NoClientCert", ClientCertificate::kIgnored},
    {"RequestClientCert", ClientCertificate::kRequested},
    {"RequireAnyClientCert", ClientCertificate::kRequired},
    {"RequireAnyClient", ClientCertificate::kRequired},
    {"VerifyClientCertIfGiven", ClientCertificate::kVerifiedIfGiven},
    {"RequireAndVerifyClientCert", ClientCertificate::kVerified}};
const std::map<std::string, int> kVersions = {
    {"TLS10", 10}, {"TLS11", 11}, {"TLS12", 12}, {"TLS13", 13}};

TlsConfig read_tls(const YAML::Node& node, const std::filesystem::path& directory) {
  TlsConfig tls;
  const auto file = [&](std::string& into) {
    return [&into, &directory](const YAML::Node& value) {
      into = (directory / scalar(value)).string();
    };
  };
  const std::string fixed = "which is chosen can't be set: the library's secure defaults are used";
  read_mapping(node, "tls_server_config",
               {{"cert_file", file(tls.certificate)},
                {"key_file", file(tls.key)},
                {"client_ca_file", file(tls.client_ca)},
                {"client_auth_type",
                 [&](const YAML::Node& value) { tls.client = one_of(value, kClientAuth); }},
                {"client_allowed_sans",
                 [&](const YAML::Node& value) {
                   if (!value.IsSequence())
                     throw Wrong(value.Mark(), "a list of names is expected here");
                   for (const YAML::Node& name : value) tls.client_names.push_back(scalar(name));
                 }},
                {"min_version",
                 [&](const YAML::Node& value) { tls.min_version = one_of(value, kVersions); }},
                {"max_version",
                 [&](const YAML::Node& value) { tls.max_version = one_of(value, kVersions); }},
                {"cipher_suites", refused("cipher_suites: " + fixed)},
                {"curve_preferences", refused("curve_preferences: " + fixed)},
                {"prefer_server_cipher_suites", [](const YAML::Node&) {}}});
  if (tls.certificate.empty()) throw Wrong(node.Mark(), "cert_file is missing");
  if (tls.key.empty()) throw Wrong(node.Mark(), "key_file is missing");
  if (tls.min_version > tls.max_version) {
    throw Wrong(node.Mark(), "min_version is above max_version");
  }
  const bool verifies = tls.client == ClientCertificate::kVerified ||
                        tls.client == ClientCertificate::kVerifiedIfGiven;
  if (!verifies && !tls.client_names.empty()) {
    throw Wrong(node.Mark(), "client_allowed_sans needs a client_auth_type that verifies");
  }
  if (!verifies && !tls.client_ca.empty()) {
    throw Wrong(node.Mark(), "client_ca_file needs a client_auth_type that verifies");
  }
  return tls;
}

void read_users(const YAML::Node& node, std::map<std::string, std::string>& users) {
  if (!node.IsMap())
    throw Wrong(node.Mark(), "basic_auth_users is not a mapping of names to bcrypt hashes");
  for (const auto& entry : node) {
    const std::string name = scalar(entry.first);
    const std::string hash = scalar(entry.second);
    const bool bcrypt = hash.size() == 60 && hash[0] == '$' && hash[1] == '2' &&
                        std::string("aby").find(hash[2]) != std::string::npos && hash[3] == '$';
    // The hash isn't repeated: it may be a password by mistake, and this is logged.
    if (!bcrypt) {
      throw Wrong(entry.second.Mark(),
                  "what is given for \"" + name +
                      "\" is not a bcrypt hash; `htpasswd -nBC 10 NAME` makes one");
    }
    if (name.empty() || name.find(':') != std::string::npos) {
      throw Wrong(entry.first.Mark(), "a name of a user is not empty and has no colon");
    }
    if (!users.emplace(name, hash).second)
      throw Wrong(entry.first.Mark(), name + " is there twice");
  }
}

void read_headers(const YAML::Node& node, std::map<std::string, std::string>& headers) {
  Settings settings;
  for (const std::string name :
       {"Content-Security-Policy", "X-Frame-Options", "X-Content-Type-Options", "X-XSS-Protection",
        "Strict-Transport-Security"}) {
    settings[name] = [&headers, name](const YAML::Node& value) {
      const std::string text = scalar(value);
      if (std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < ' '; })) {
        throw Wrong(value.Mark(), name + ": a header has no control characters");
      }
      headers[name] = text;
    };
  }
  read_mapping(node, "headers", settings);
}

}  // namespace

Result<WebConfig> parse_web_config(const std::string& text, const std::string& path) {
  WebConfig config;
  try {
    const YAML::Node root = YAML::Load(text);
    const std::filesystem::path directory = std::filesystem::path(path).parent_path();
    read_mapping(
        root, "the file",
        {{"tls_server_config",
          [&](const YAML::Node& node) { config.tls = read_tls(node, directory); }},
         {"http_server_config",
          [&](const YAML::Node& node) {
            read_mapping(node, "http_server_config",
                         {{"http2", [](const YAML::Node&) {}},  // HTTP/1.1 is all there is
                          {"headers",
                           [&](const YAML::Node& value) { read_headers(value, config.headers); }}});
          }},
         {"basic_auth_users", [&](const YAML::Node& node) { read_users(node, config.users); }}});
  } catch (const Wrong& wrong) {
    return Error{path + ":" + std::to_string(wrong.line) + ": " + wrong.what()};
  } catch (const YAML::Exception& wrong) {
    return Error{path + ":" + std::to_string(wrong.mark.line + 1) + ": not YAML: " + wrong.msg};
  }
  return config;
}

Result<WebConfig> read_web_config(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return Error::from_errno("read " + path, errno);
  return parse_web_config(text.str(), path);
}

}  // namespace volumeter
