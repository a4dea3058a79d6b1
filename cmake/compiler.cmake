add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
                    -fstack-protector-strong)
if(VOLUMETER_WERROR)
  add_compile_options(-Werror)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_definitions(_FORTIFY_SOURCE=2)
  # The same wherever it is built.
  add_compile_options(-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=)
endif()
add_link_options(-Wl,-z,relro,-z,now -Wl,--as-needed)
if(VOLUMETER_SANITIZE)
  add_compile_options(-fsanitize=${VOLUMETER_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC's analysis sees the sanitizers' own instrumentation as uses (GCC bug 105562).
    add_compile_options(-Wno-maybe-uninitialized)
  endif()
  add_link_options(-fsanitize=${VOLUMETER_SANITIZE})
endif()
