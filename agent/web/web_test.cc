// A real server on loopback, with limits small enough to reach.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <thread>

#include "support/agent.h"
#include "web/server.h"

namespace volumeter {
namespace {

using namespace std::chrono_literals;
using test::connect_to;
using test::http_get;

class WebTest : public testing::Test {
 protected:
  void start(ConnectionLimits limits, const std::string& address = "127.0.0.1:0") {
    const auto parsed = parse_listen_address(address).value();
    auto server = Server::start({parsed}, limits, [](const Request& request) {
      if (request.path == "/big") return Response{200, "text/plain", std::string(1 << 20, 'x')};
      return Response{200, "text/plain", request.method + " " + request.path + "\n"};
    });
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(server).value();
    port_ = server_->ports()[0];
    sweeper_ = std::jthread([this](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        server_->sweep();
        std::this_thread::sleep_for(20ms);
      }
    });
  }
  void TearDown() override { sweeper_ = {}; }

  std::unique_ptr<Server> server_;
  std::jthread sweeper_;
  int port_ = 0;
};

bool closed_by_peer(const UniqueFd& fd) {
  char byte = 0;
  return ::recv(fd.get(), &byte, 1, 0) <= 0;
}

TEST_F(WebTest, ServesGetAndHeadAndRefusesTheRest) {
  start({});
  EXPECT_EQ(http_get(port_, "/a").body, "GET /a\n");
  const auto head = http_get(port_, "/a", "", "127.0.0.1", "HEAD");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.body, "");
  EXPECT_EQ(http_get(port_, "/a", "", "127.0.0.1", "POST").status, 405);
  EXPECT_EQ(http_get(port_, "/big").body.size(), 1U << 20U);
}

TEST_F(WebTest, ListensOnIpv6) {
  start({}, "[::1]:0");
  EXPECT_EQ(http_get(port_, "/", "", "::1").status, 200);
}

TEST_F(WebTest, AnyAddressMeansBothFamilies) {
  start({}, ":0");
  EXPECT_EQ(http_get(port_, "/", "", "::1").status, 200);
  EXPECT_EQ(http_get(port_, "/", "", "127.0.0.1").status, 200);
}

TEST_F(WebTest, APortInUseIsNamed) {
  start({});
  const std::string taken = "127.0.0.1:" + std::to_string(port_);
  const auto second = Server::start({parse_listen_address(taken).value()}, {}, {});
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find(taken), std::string::npos);
  EXPECT_NE(second.error().message.find("in use"), std::string::npos);
}

TEST_F(WebTest, AHeaderThatDripsIsCutOffAtAnAbsoluteDeadline) {
  ConnectionLimits limits;
  limits.header_deadline = 300ms;
  start(limits);
  const UniqueFd slow = connect_to(port_);
  ASSERT_TRUE(slow);
  std::atomic<bool> cut = false;
  // A byte each 50 ms never lets an inactivity timeout fire.
  const std::string header = "GET / HTTP/1.1\r\nX-Long: " + std::string(10000, 'y');
  for (const char c : header) {
    if (::send(slow.get(), &c, 1, MSG_NOSIGNAL) != 1) {
      cut = true;
      break;
    }
    std::this_thread::sleep_for(50ms);
  }
  EXPECT_TRUE(cut);
}

TEST_F(WebTest, ClientsThatOnlyOccupyConnectionsMakeRoomForAScrape) {
  ConnectionLimits limits;
  limits.total = 20;
  limits.per_address = 20;
  limits.header_deadline = 60s;
  start(limits);
  std::vector<UniqueFd> idle;
  for (int i = 0; i < 100; ++i) idle.push_back(connect_to(port_));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(http_get(port_, "/").status, 200);
  EXPECT_TRUE(closed_by_peer(idle[0])) << "the oldest had to go";
}

TEST_F(WebTest, RequestsWithABodyAreRefused) {
  start({});
  const auto answer = http_get(port_, "/", "Content-Length: 1000000\r\n");
  EXPECT_EQ(answer.status, 413);
}

TEST_F(WebTest, SlowReadersMakeRoomForAScrapeAndAreCutOff) {
  ConnectionLimits limits;
  limits.answer_deadline = 2s;
  start(limits);
  constexpr int kAnswers = 32;
  std::vector<UniqueFd> slow;
  const std::string request = "GET /big HTTP/1.1\r\nHost: x\r\n\r\n";
  for (int i = 0; i < 40; ++i) {
    slow.push_back(connect_to(port_));
    // So many that the answers can't all lie in the sockets' buffers.
    for (int n = 0; n < kAnswers; ++n) ::send(slow.back().get(), request.data(), request.size(), 0);
  }
  EXPECT_EQ(http_get(port_, "/big").body.size(), 1U << 20U);
  EXPECT_EQ(http_get(port_, "/healthz").status, 200);
  // Past the deadline the rest of them are cut off: what comes ends before all answers have.
  std::this_thread::sleep_for(3s);
  std::size_t received = 0;
  char buffer[65536];
  for (ssize_t n = 0; (n = ::recv(slow.back().get(), buffer, sizeof buffer, 0)) > 0;) {
    received += static_cast<std::size_t>(n);
  }
  EXPECT_LT(received, std::size_t{kAnswers} << 20U);
}

TEST_F(WebTest, OneAddressCannotTakeAllConnections) {
  ConnectionLimits limits;
  limits.total = 50;
  limits.per_address = 5;
  limits.header_deadline = 60s;
  start(limits);
  const UniqueFd other = connect_to(port_, "127.0.0.1", "127.0.0.2");
  ASSERT_TRUE(other);
  std::vector<UniqueFd> greedy;
  for (int i = 0; i < 40; ++i) greedy.push_back(connect_to(port_, "127.0.0.1", "127.0.0.3"));
  EXPECT_TRUE(closed_by_peer(greedy[0]));
  const std::string request = "GET /still HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  ASSERT_GT(::send(other.get(), request.data(), request.size(), MSG_NOSIGNAL), 0);
  char buffer[16] = {};
  EXPECT_GT(::recv(other.get(), buffer, sizeof buffer, 0), 0);
  EXPECT_EQ(std::string(buffer, 12), "HTTP/1.1 200");
}

TEST(ListenAddress, SaysWhatIsAllowed) {
  for (const char* text : {"", "10098", "host.example:1", "::1:10098", ":99999", ":x", "[::1]"}) {
    const auto address = parse_listen_address(text);
    ASSERT_FALSE(address) << text;
    EXPECT_NE(address.error().message.find(":10098"), std::string::npos);
  }
  EXPECT_EQ(parse_listen_address("[::1]:9")->host, "::1");
  EXPECT_EQ(parse_listen_address("localhost:9")->host, "127.0.0.1");
}

}  // namespace
}  // namespace volumeter
