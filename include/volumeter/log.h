// Structured logging. Thread-safe; never blocks on a volume. Field values are quoted as the
// format (logfmt or json) needs, so hostile names can't forge a line.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "volumeter/result.h"

namespace volumeter {

enum class LogLevel { kDebug, kInfo, kWarn, kError };
enum class LogFormat { kLogfmt, kJson };

using LogFields = std::initializer_list<std::pair<std::string_view, std::string>>;

// Call once, before any thread starts. Lines go to standard error.
void configure_log(LogLevel level, LogFormat format);

void log(LogLevel level, std::string_view message, LogFields fields = {});

// Where audit() writes: to this file, which is opened at once and appended to; at 10 MiB it is
// renamed to end in ".1" (before a suffix), and begun anew. Without a file, `otherwise`: standard
// error whatever the level, or syslog(3), where there is one, for programs whose output is
// somebody's input. Call once, after configure_log().
enum class AuditTo { kStandardError, kSystemLog };
Status configure_audit(const std::string& file, AuditTo otherwise = AuditTo::kStandardError);

// One line for whatever is about to be written to a volume.
void audit(std::string_view message, LogFields fields);

}  // namespace volumeter
