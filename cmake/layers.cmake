# One static library a folder, each with an include path of its own: a layer can include
# "<folder>/<header>" only of folders it links. That is how data flows one way (docs/architecture.md).
#
#   volumeter_layer(mounts SOURCES mount_table.cc LINKS volumeter::host PRIVATE_LINKS libmount)
function(volumeter_layer name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  string(REPLACE "/" "_" target ${name})
  set(root ${PROJECT_BINARY_DIR}/layers/${target})
  get_filename_component(parent ${root}/${name} DIRECTORY)
  file(MAKE_DIRECTORY ${parent})
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${root}/${name} SYMBOLIC)
  add_library(volumeter_${target} STATIC ${ARG_SOURCES})
  add_library(volumeter::${target} ALIAS volumeter_${target})
  target_include_directories(volumeter_${target} PUBLIC ${root})
  target_link_libraries(volumeter_${target} PUBLIC ${ARG_LINKS} PRIVATE ${ARG_PRIVATE_LINKS})
endfunction()
