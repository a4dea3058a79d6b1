// TLS, client certificates and passwords, with certificates that openssl makes and curl as the
// client.
#include <gtest/gtest.h>

#include <fstream>

#include "support/agent.h"
#include "support/node.h"
#include "support/temp_directory.h"

namespace volumeter::test {
namespace {

// bcrypt of "secret", at its lowest cost.
const std::string kUsers =
    "basic_auth_users:\n  prometheus: "
    "$2b$04$Don.1gb0i49/putCW8z7feTQMk3Jdh/Cbd/C5X4DoE0Da.gYhIfLa\n";
const std::string kTls = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n";

class WebSecurityTest : public testing::Test {
 protected:
  void SetUp() override {
    if (run({"openssl", "version"}).code != 0) GTEST_SKIP() << "openssl isn't installed";
    if (run({"curl", "--version"}).code != 0) GTEST_SKIP() << "curl isn't installed";
    authority("ca");
    certificate("server", "ca", "serverAuth");
    certificate("client", "ca", "clientAuth");
  }
  [[nodiscard]] std::string path(const std::string& name) const {
    return directory_.path() + "/" + name;
  }
  void shell(const std::string& command) const {
    const Output output = run({"sh", "-c", "cd " + directory_.path() + " && " + command});
    ASSERT_EQ(output.code, 0) << output.text;
  }
  void authority(const std::string& name) const {
    shell(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-keyout " +
        name + ".key -out " + name + ".crt -subj /CN=" + name);
  }
  void certificate(const std::string& name, const std::string& by, const std::string& use) const {
    std::ofstream(path("extensions"))
        << "subjectAltName=DNS:localhost,DNS:" << name << "\nextendedKeyUsage=" << use << "\n";
    shell("openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout " + name +
          ".key -out request -subj /CN=" + name + " && openssl x509 -req -in request -CA " + by +
          ".crt -CAkey " + by +
          ".key -CAcreateserial -out new.crt -days 2 -extfile extensions && mv new.crt " + name +
          ".crt");
  }
  void start(const std::string& config, const std::vector<std::string>& more = {}) {
    std::ofstream(path("web.yml")) << config;
    std::vector<std::string> flags = {"--web.config.file=" + path("web.yml"),
                                      "--path.kubelet=" + directory_.path()};
    flags.insert(flags.end(), more.begin(), more.end());
    agent_ = std::make_unique<Agent>(flags);
    ASSERT_NE(agent_->port(), 0) << agent_->log();
    const std::string scheme =
        config.find("tls_server_config") == std::string::npos ? "http" : "https";
    ASSERT_TRUE(eventually([&] { return ask("/readyz", scheme) == 200; }, 20s)) << agent_->log();
  }
  // The status, or 0 where there is no connection.
  [[nodiscard]] int ask(const std::string& what, const std::string& scheme = "https") const {
    const Output output = run(
        {"sh", "-c",
         "cd " + directory_.path() + " && curl -s -o /dev/null -w '%{http_code}' --cacert ca.crt " +
             scheme + "://localhost:" + std::to_string(agent_->port()) + what});
    return std::atoi(output.text.c_str());
  }
  // Of the certificate that is served.
  [[nodiscard]] std::string serial() const {
    return run({"sh", "-c",
                "echo | openssl s_client -connect localhost:" + std::to_string(agent_->port()) +
                    " 2>/dev/null | openssl x509 -noout -serial"})
        .text;
  }

  TempDirectory directory_;
  std::unique_ptr<Agent> agent_;
};

TEST_F(WebSecurityTest, InTheClearThereIsNothingAndOldVersionsAreRefused) {
  start(kTls);
  EXPECT_EQ(ask("/metrics"), 200);
  EXPECT_EQ(ask("/metrics", "http"), 0);
  EXPECT_EQ(ask("/metrics --tls-max 1.1"), 0);
  EXPECT_EQ(ask("/metrics --tls-max 1.2"), 200);
}

TEST_F(WebSecurityTest, TheMinimumVersionHolds) {
  start(kTls + "  min_version: TLS13\n");
  EXPECT_EQ(ask("/metrics --tls-max 1.2"), 0);
  EXPECT_EQ(ask("/metrics"), 200);
}

TEST_F(WebSecurityTest, WhoHasNoPasswordGetsHealthOnly) {
  start(kTls + kUsers);
  for (const std::string what : {"/", "/metrics", "/api/v1/volumes", "/page.js", "/nothing"}) {
    EXPECT_EQ(ask(what), 401) << what;
    EXPECT_EQ(ask(what + " -u prometheus:wrong"), 401) << what;
  }
  EXPECT_EQ(ask("/healthz"), 200);
  EXPECT_EQ(ask("/metrics -u nobody:secret"), 401);
  EXPECT_EQ(ask("/metrics -u prometheus:secret"), 200);
  EXPECT_EQ(agent_->log().find("secret"), std::string::npos);
}

TEST_F(WebSecurityTest, ClientsNeedACertificateOfTheAuthority) {
  authority("other");
  certificate("stranger", "other", "clientAuth");
  start(kTls + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n");
  EXPECT_EQ(ask("/metrics"), 403);
  EXPECT_EQ(ask("/metrics --cert stranger.crt --key stranger.key"), 403);
  EXPECT_EQ(ask("/metrics --cert server.crt --key server.key"), 403)
      << "that one isn't for clients";
  EXPECT_EQ(ask("/metrics --cert client.crt --key client.key"), 200);
  EXPECT_EQ(ask("/healthz"), 200) << "the kubelet has none";
}

TEST_F(WebSecurityTest, OnlyAllowedNamesMayAsk) {
  certificate("grafana", "ca", "clientAuth");
  start(kTls +
        "  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: ca.crt\n"
        "  client_allowed_sans: [client]\n");
  EXPECT_EQ(ask("/metrics"), 200);
  EXPECT_EQ(ask("/metrics --cert client.crt --key client.key"), 200);
  EXPECT_EQ(ask("/metrics --cert grafana.crt --key grafana.key"), 403);
}

TEST_F(WebSecurityTest, NewCertificatesAndUsersAreTakenAndWrongOnesAreNot) {
  start(kTls + kUsers);
  const std::string first = serial();
  certificate("server", "ca", "serverAuth");
  EXPECT_TRUE(eventually([&] { return serial() != first && !serial().empty(); }, 20s));
  const std::string second = serial();
  std::ofstream(path("server.key")) << "no key";
  EXPECT_TRUE(eventually(
      [&] { return agent_->log().find("the old one stays") != std::string::npos; }, 20s));
  EXPECT_EQ(serial(), second);
  std::string users = kUsers;
  users.replace(users.find("prometheus"), 10, "victoria");
  std::ofstream(path("web.yml")) << kTls + users;
  EXPECT_TRUE(eventually([&] { return ask("/metrics -u victoria:secret") == 200; }, 20s));
  EXPECT_EQ(ask("/metrics -u prometheus:secret"), 401);
}

TEST_F(WebSecurityTest, AWrongFileEndsItWithItsLine) {
  std::ofstream(path("web.yml")) << "tls_server_config:\n  cert_file: a\n  key_fil: b\n";
  const Output output = run({VOLUMETER_PATH, "agent", "--web.config.file=" + path("web.yml")});
  EXPECT_EQ(output.code, 2);
  EXPECT_NE(output.text.find("web.yml:3: \\\"key_fil\\\" is not known"), std::string::npos)
      << output.text;
}

TEST_F(WebSecurityTest, PrometheusAcceptsWhatWeAccept) {
  if (run({"promtool", "--version"}).code != 0) GTEST_SKIP() << "promtool isn't installed";
  start(kTls +
        "  min_version: TLS12\n  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: "
        "ca.crt\n" +
        kUsers + "http_server_config:\n  headers:\n    X-Frame-Options: deny\n");
  const Output output = run({"promtool", "check", "web-config", path("web.yml")});
  EXPECT_EQ(output.code, 0) << output.text;
}

TEST_F(WebSecurityTest, PagesCanBeOff) {
  start("", {"--no-web.pages"});
  for (const std::string what : {"/", "/api/v1/volumes", "/page.js"})
    EXPECT_EQ(ask(what, "http"), 404) << what;
  EXPECT_EQ(ask("/metrics", "http"), 200);
}

}  // namespace
}  // namespace volumeter::test
