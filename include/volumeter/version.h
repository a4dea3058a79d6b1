// What this binary is; set by the build.
#pragma once

namespace volumeter {

extern const char* const kVersion;   // "0.1.0"
extern const char* const kRevision;  // of the commit it was built from, or "unknown"

}  // namespace volumeter
