// The families of the usage measurer, and how a reading becomes series.
#pragma once

#include <vector>

#include "volumeter/measurer.h"

namespace volumeter {

std::vector<const MetricDesc*> usage_families();

void add_usage(MeasurementSet& out, const Subject& subject, const Usage& usage);
void add_usage(MeasurementSet& out, const Filesystem& filesystem, const Usage& usage);

// What only volumes that share a filesystem have: the last walk's figures, and the progress of the
// one under way.
void add_walk(MeasurementSet& out, const Subject& subject, const Reading& reading,
              const TreeUse& tree);
void add_enforced(MeasurementSet& out, const Subject& subject, bool enforced);
void add_deleted_open(MeasurementSet& out, const Subject& subject, std::uint64_t bytes);
const VolumeMetric& usage_method_metric();

// When deleted files were looked for: one look is for all volumes.
void add_deleted_time(Snapshot& out);

// Each pod's ephemeral storage where all of it is known.
void add_ephemeral(Snapshot& out);

}  // namespace volumeter
