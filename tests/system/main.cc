// Tests with real mounts, devices and processes, in a mount namespace of their own.
#include <gtest/gtest.h>

#include "support/node.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (!volumeter::test::why_no_mounts()) volumeter::test::enter_mount_namespace();
  return RUN_ALL_TESTS();
}
