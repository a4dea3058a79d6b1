# <name>.bpf.c to skeleton/<name>.skel.h, which libbpf loads the programs from: compiled to an object,
# and that into a header. Its path is left in VOLUMETER_BPF_SKELETON.
function(volumeter_bpf name)
  cmake_parse_arguments(ARG "" "" "HEADERS" ${ARGN})
  set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}.bpf.o)
  set(skeleton ${CMAKE_CURRENT_BINARY_DIR}/skeleton/${name}.skel.h)
  # As bpf/bpf_tracing.h calls them.
  set(arch ${CMAKE_SYSTEM_PROCESSOR})
  if(arch MATCHES "x86_64|amd64")
    set(arch x86)
  elseif(arch STREQUAL "aarch64")
    set(arch arm64)
  endif()
  file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/skeleton)
  add_custom_command(
    OUTPUT ${skeleton}
    COMMAND ${VOLUMETER_BPF_CLANG} -target bpf -mcpu=v3 -D__TARGET_ARCH_${arch} -O2 -g -Wall -Werror
            -I/usr/include/${CMAKE_LIBRARY_ARCHITECTURE}
            -ffile-prefix-map=${PROJECT_SOURCE_DIR}/= -fdebug-compilation-dir=.
            -c ${CMAKE_CURRENT_SOURCE_DIR}/${name}.bpf.c -o ${object}
    COMMAND sh -c "{ echo '// NOLINTBEGIN: generated' && '${VOLUMETER_BPFTOOL}' gen skeleton \
'${object}' name ${name}_bpf && echo '// NOLINTEND'; } > '${skeleton}'"
    DEPENDS ${name}.bpf.c ${ARG_HEADERS}
    VERBATIM)
  set(VOLUMETER_BPF_SKELETON ${skeleton} PARENT_SCOPE)
endfunction()
