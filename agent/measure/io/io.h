// Block device counters and I/O pressure, live at each scrape, under node_exporter's names with
// our prefix.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "host/host.h"
#include "volumeter/measurer.h"

namespace volumeter {

// /proc/diskstats (kernel: Documentation/admin-guide/iostats.rst). Devices in `leave_out`, and
// ram disks, are skipped; short lines of older kernels give the fields they have.
void add_diskstats(std::string_view text, const std::set<std::string>& leave_out,
                   MeasurementSet& out);

// /proc/pressure/io (kernel: Documentation/accounting/psi.rst).
void add_io_pressure(std::string_view text, MeasurementSet& out);

// Loop devices that the kubelet attaches to its own map files as a lock: not disks.
std::set<std::string> phantom_loop_devices(const HostPaths& host);

std::unique_ptr<Measurer> make_io_measurer(const HostPaths& host);

}  // namespace volumeter
