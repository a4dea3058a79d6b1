// Block device counters and I/O pressure, live at each scrape, under node_exporter's names with
// our prefix: per claim where it has its devices to itself, else per device.
#pragma once

#include <memory>
#include <string_view>

#include "host/host.h"
#include "volumeter/measurer.h"

namespace volumeter {

// /proc/diskstats (kernel: Documentation/admin-guide/iostats.rst), for the devices that `inventory`
// knows. Left out: what was never used and may be nobody's (loop devices), ram disks, and
// partitions that nothing lies on. Short lines of older kernels give the fields they have.
void add_diskstats(std::string_view text, const Inventory& inventory, MeasurementSet& out);

// What the devices are: volumeter_block_device_info and _size_bytes.
void add_block_devices(const Inventory& inventory, MeasurementSet& out);

// /proc/pressure/io (kernel: Documentation/accounting/psi.rst).
void add_io_pressure(std::string_view text, MeasurementSet& out);

std::unique_ptr<Measurer> make_io_measurer(const HostPaths& host);

}  // namespace volumeter
