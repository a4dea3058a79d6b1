// Whether all that is asked of a Prometheus that watches the demonstration node has an answer.
#pragma once

#include <string>
#include <vector>

#include "support/prometheus.h"

namespace volumeter::test {

std::vector<std::string> rule_files();

// With all faults made, each rule's query finds something, or is listed in quiet_rules.yaml.
void expect_rules_answer(const Prometheus& prometheus);
// The same of each dashboard's queries without faults, and dashboards/quiet_queries.yaml.
void expect_panels_answer(const Prometheus& prometheus);

}  // namespace volumeter::test
