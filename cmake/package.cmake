# `cpack -G DEB`: the agent as a service of a machine's own, for nodes that are managed as machines.
# The binary can be used without it: df, du, bench and check.
install(TARGETS volumeter RUNTIME DESTINATION bin)
install(FILES ${PROJECT_SOURCE_DIR}/deploy/systemd/volumeter.service DESTINATION lib/systemd/system)
install(FILES ${PROJECT_SOURCE_DIR}/deploy/systemd/volumeter.conf DESTINATION /etc/volumeter)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION share/doc/volumeter RENAME copyright)

# Packing builds nothing but what is packed.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME volumeter)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "the volumeter maintainers <https://volumeter.io>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "how full, how fast and how healthy each volume of a Kubernetes node is")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  "${PROJECT_SOURCE_DIR}/deploy/systemd/conffiles;${PROJECT_SOURCE_DIR}/deploy/systemd/postinst;${PROJECT_SOURCE_DIR}/deploy/systemd/prerm;${PROJECT_SOURCE_DIR}/deploy/systemd/postrm")
include(CPack)
