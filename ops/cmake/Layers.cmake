# oltp20_library(NAME SOURCES ... DEPENDS ... LINK ... [PURE])
#
# One library a folder. The direction of dependencies is enforced here: a library names the
# libraries of ours that it DEPENDS on, and each must lie in an allowed layer; LINK names
# third-party packages. PURE libraries take no third-party package but OpenSSL's libcrypto
# (for SHA-256), so that the simulator can link them alone.
#
#   proto <- common <- { hub, spoke, ops }; hub and spoke never depend on each other.
set(OLTP20_LAYER_proto "proto")
set(OLTP20_LAYER_common "proto;common")
set(OLTP20_LAYER_hub "proto;common;hub")
set(OLTP20_LAYER_spoke "proto;common;spoke")
set(OLTP20_LAYER_ops "proto;common;ops")
set(OLTP20_LAYER_tests "proto;common;hub;spoke;ops;tests")

function(oltp20_check_layers name layer)
  foreach(dependency IN LISTS ARGN)
    string(REGEX REPLACE "_.*" "" dependency_layer ${dependency})
    if(NOT dependency_layer IN_LIST OLTP20_LAYER_${layer})
      message(FATAL_ERROR "${name} (layer ${layer}) must not depend on ${dependency}: "
                          "allowed layers are ${OLTP20_LAYER_${layer}}")
    endif()
  endforeach()
endfunction()

function(oltp20_library name)
  cmake_parse_arguments(ARG "PURE" "" "SOURCES;DEPENDS;LINK" ${ARGN})
  string(REGEX REPLACE "_.*" "" layer ${name})
  oltp20_check_layers(${name} ${layer} ${ARG_DEPENDS})
  if(ARG_PURE)
    foreach(package IN LISTS ARG_LINK)
      if(NOT package MATCHES "^(OpenSSL::Crypto|Threads::Threads)$")
        message(FATAL_ERROR "${name} is PURE and must not link ${package}")
      endif()
    endforeach()
    foreach(dependency IN LISTS ARG_DEPENDS)
      get_target_property(dependency_pure ${dependency} OLTP20_PURE)
      if(NOT dependency_pure)
        message(FATAL_ERROR "${name} is PURE and must not depend on ${dependency}, which is not")
      endif()
    endforeach()
  endif()
  add_library(${name} STATIC ${ARG_SOURCES})
  set_target_properties(${name} PROPERTIES OLTP20_PURE "${ARG_PURE}")
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${ARG_DEPENDS} PRIVATE ${ARG_LINK})
endfunction()

function(oltp20_program name)
  cmake_parse_arguments(ARG "" "LAYER" "SOURCES;DEPENDS;LINK" ${ARGN})
  oltp20_check_layers(${name} ${ARG_LAYER} ${ARG_DEPENDS})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS} ${ARG_LINK})
endfunction()
