#include "web/web_config.h"

#include <gtest/gtest.h>

#include "web/basic_auth.h"

namespace volumeter {
namespace {

using namespace std::chrono_literals;

// Of "secret", at bcrypt's lowest cost.
const std::string kHash = "$2b$04$Don.1gb0i49/putCW8z7feTQMk3Jdh/Cbd/C5X4DoE0Da.gYhIfLa";

TEST(WebConfig, AllOfItIsRead) {
  const auto config = parse_web_config(
      "tls_server_config:\n  cert_file: tls.crt\n  key_file: /etc/tls.key\n  client_ca_file: "
      "ca.crt\n"
      "  client_auth_type: RequireAndVerifyClientCert\n  client_allowed_sans: [prometheus]\n"
      "  min_version: TLS13\nhttp_server_config:\n  http2: true\n  headers:\n"
      "    X-Frame-Options: deny\nbasic_auth_users:\n  prometheus: " +
          kHash + "\n",
      "/etc/volumeter/web.yml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->tls->certificate, "/etc/volumeter/tls.crt");
  EXPECT_EQ(config->tls->key, "/etc/tls.key");
  EXPECT_EQ(config->tls->client_ca, "/etc/volumeter/ca.crt");
  EXPECT_EQ(config->tls->client, ClientCertificate::kVerified);
  EXPECT_EQ(config->tls->client_names, std::vector<std::string>{"prometheus"});
  EXPECT_EQ(config->tls->min_version, 13);
  EXPECT_EQ(config->headers.at("X-Frame-Options"), "deny");
  EXPECT_EQ(config->users.at("prometheus"), kHash);
}

TEST(WebConfig, AnEmptyFileAsksForNothing) {
  const auto config = parse_web_config("", "w");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_FALSE(config->tls);
  EXPECT_TRUE(config->users.empty());
}

TEST(WebConfig, MistakesAreNamedWithTheirLine) {
  struct Case {
    const char* text;
    const char* says;
  };
  for (const Case& c : {
           Case{"tls: {}\n",
                "w.yml:1: \"tls\" is not known in the file; allowed are basic_auth_users"},
           Case{"tls_server_config:\n  cert_file: a\n", "key_file is missing"},
           Case{"tls_server_config:\n  cert_file: a\n  key_file: b\n  min_version: SSL3\n",
                "w.yml:4: \"SSL3\" is not allowed here; allowed are TLS10, TLS11, TLS12, TLS13"},
           Case{"tls_server_config:\n  cert_file: a\n  key_file: b\n  min_version: TLS13\n  "
                "max_version: TLS12\n",
                "min_version is above max_version"},
           Case{"tls_server_config:\n  cert_file: a\n  key_file: b\n  client_auth_type: Yes\n",
                "NoClientCert"},
           Case{"tls_server_config:\n  cert_file: a\n  key_file: b\n  client_ca_file: c\n",
                "needs a client_auth_type"},
           Case{"tls_server_config:\n  cert_file: a\n  key_file: b\n  cipher_suites: [x]\n",
                "w.yml:4: cipher_suites"},
           Case{"tls_server_config:\n  cert_file: a\n  cert_file: b\n",
                "w.yml:3: cert_file is there twice"},
           Case{"tls_server_config: [a]\n", "tls_server_config is not a mapping"},
           Case{"basic_auth_users:\n  a:b: x\n", "w.yml:2"},
           Case{"http_server_config:\n  headers:\n    Server: x\n",
                "w.yml:3: \"Server\" is not known in headers"},
           Case{"a: [\n", "not YAML"},
           Case{"- a\n", "the file is not a mapping"},
       }) {
    const auto config = parse_web_config(c.text, "w.yml");
    ASSERT_FALSE(config) << c.text;
    EXPECT_NE(config.error().message.find(c.says), std::string::npos) << config.error().message;
  }
}

TEST(WebConfig, APasswordByMistakeIsNotRepeated) {
  const auto config = parse_web_config("basic_auth_users:\n  alice: hunter2\n", "w.yml");
  ASSERT_FALSE(config);
  EXPECT_NE(config.error().message.find("w.yml:2: what is given for \"alice\""), std::string::npos);
  EXPECT_EQ(config.error().message.find("hunter2"), std::string::npos);
}

TEST(BasicAuth, RightAndWrong) {
  BasicAuth auth;
  auth.set_users({{"alice", kHash}});
  const BasicAuth::Clock::time_point now{};
  EXPECT_EQ(auth.check("alice", "secret", now), BasicAuth::Answer::kAllowed);
  EXPECT_EQ(auth.check("alice", "secret ", now), BasicAuth::Answer::kRefused);
  EXPECT_EQ(auth.check("bob", "secret", now), BasicAuth::Answer::kRefused);
  EXPECT_EQ(auth.check("alice", std::string("secret\0x", 8), now), BasicAuth::Answer::kRefused);
  auth.set_users({{"bob", kHash}});
  EXPECT_EQ(auth.check("alice", "secret", now), BasicAuth::Answer::kRefused)
      << "what was allowed is forgotten";
}

TEST(BasicAuth, GuessingIsSlowAndDoesNotKeepScrapesWaiting) {
  BasicAuth auth;
  auth.set_users({{"alice", kHash}});
  const BasicAuth::Clock::time_point now{};
  EXPECT_EQ(auth.check("alice", "secret", now), BasicAuth::Answer::kAllowed);
  int looked_at = 0;
  for (int i = 0; i < 50; ++i) {
    looked_at += auth.check("alice", std::to_string(i), now) == BasicAuth::Answer::kRefused ? 1 : 0;
  }
  EXPECT_EQ(looked_at, 9);
  EXPECT_EQ(auth.check("alice", "new", now), BasicAuth::Answer::kTooMany);
  EXPECT_EQ(auth.check("alice", "secret", now), BasicAuth::Answer::kAllowed) << "known already";
  EXPECT_EQ(auth.check("alice", "new", now + 1s), BasicAuth::Answer::kRefused);
}

}  // namespace
}  // namespace volumeter
