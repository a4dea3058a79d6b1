#include "volumeter/log.h"

#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/syslog_sink.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "host/host.h"

namespace volumeter {
namespace {

LogFormat g_format = LogFormat::kLogfmt;  // set once before threads start

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : printable(text)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

constexpr std::size_t kMostAudit = 10 << 20;  // bytes of a file

std::shared_ptr<spdlog::logger> make_logger(spdlog::sink_ptr sink) {
  auto made = std::make_shared<spdlog::logger>("volumeter", std::move(sink));
  made->set_pattern("%v");
  return made;
}

spdlog::logger& logger() {
  static const auto instance = make_logger(std::make_shared<spdlog::sinks::stderr_sink_mt>());
  return *instance;
}

// Set once before threads start; null: nothing is audited.
std::shared_ptr<spdlog::logger>& auditor() {
  static std::shared_ptr<spdlog::logger> instance;
  return instance;
}

void set_pattern(spdlog::logger& to) {
  to.flush_on(spdlog::level::debug);
  to.set_pattern(g_format == LogFormat::kJson
                     ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})"
                     : "time=%Y-%m-%dT%H:%M:%S.%eZ level=%l %v",
                 spdlog::pattern_time_type::utc);
}

std::string line_of(std::string_view message, LogFields fields) {
  const bool json = g_format == LogFormat::kJson;
  std::string line = (json ? "\"msg\":" : "msg=") + quoted(message);
  for (const auto& [key, value] : fields) {
    line += json ? ",\"" : " ";
    line += key;
    line += json ? "\":" : "=";
    line += quoted(value);
  }
  return line;
}

}  // namespace

void configure_log(LogLevel level, LogFormat format) {
  g_format = format;
  logger().set_level(to_spdlog(level));
  set_pattern(logger());
}

void log(LogLevel level, std::string_view message, LogFields fields) {
  const std::string line = line_of(message, fields);
  logger().log(to_spdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

Status configure_audit(const std::string& file, AuditTo otherwise) {
  spdlog::sink_ptr sink;
  try {
    if (!file.empty()) {
      sink = std::make_shared<spdlog::sinks::rotating_file_sink_mt>(file, kMostAudit, 1);
    } else if (otherwise == AuditTo::kSystemLog) {
      sink = std::make_shared<spdlog::sinks::syslog_sink_mt>("volumeter", LOG_PID, LOG_USER, true);
    } else {
      sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    }
  } catch (const spdlog::spdlog_ex& error) {
    return Error{error.what()};
  }
  auditor() = make_logger(std::move(sink));
  set_pattern(*auditor());
  return Done{};
}

void audit(std::string_view message, LogFields fields) {
  if (auditor() == nullptr) return;
  const std::string line = line_of(message, fields);
  auditor()->info(spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace volumeter
