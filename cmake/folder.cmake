# plumbline_folder(NAME [PROGRAM name] LINK libs...): one code folder of the map.
#
# Everything below the folder except main.cpp, tests/, bench/ and fuzz/ becomes the static library plumbline_NAME;
# tests/*.cpp at any depth become the GoogleTest executable NAME_tests; bench/*.cpp become NAME_bench (PLUMBLINE_BENCH);
# main.cpp becomes the program. A folder never lists its files: to add one is to create it.
function(plumbline_folder NAME)
  cmake_parse_arguments(ARG "" "PROGRAM" "LINK" ${ARGN})
  set(dir ${CMAKE_CURRENT_SOURCE_DIR})

  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${dir}/*.cpp)
  set(tests ${sources})
  set(benches ${sources})
  list(FILTER sources EXCLUDE REGEX "/(tests|bench|fuzz)/|/main\\.cpp$")
  list(FILTER tests INCLUDE REGEX "/tests/")
  list(FILTER benches INCLUDE REGEX "/bench/")

  add_library(plumbline_${NAME} STATIC ${sources})
  target_include_directories(plumbline_${NAME} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(plumbline_${NAME} PUBLIC ${ARG_LINK} PRIVATE plumbline_warnings)

  if(ARG_PROGRAM)
    add_executable(${ARG_PROGRAM} ${dir}/main.cpp)
    target_link_libraries(${ARG_PROGRAM} PRIVATE plumbline_${NAME} plumbline_warnings)
  endif()
  if(PLUMBLINE_TESTS AND tests)
    add_executable(${NAME}_tests ${tests})
    # Tests are compiled once and run for milliseconds: optimising them is a third of their compile time for nothing.
    target_compile_options(${NAME}_tests PRIVATE $<$<CONFIG:Release>:-O0>)
    target_compile_definitions(${NAME}_tests PRIVATE PLUMBLINE_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    target_link_libraries(${NAME}_tests PRIVATE plumbline_${NAME} plumbline_warnings GTest::gmock GTest::gtest_main)
    gtest_discover_tests(${NAME}_tests TEST_PREFIX "${NAME}." PROPERTIES TIMEOUT 60 DISCOVERY_TIMEOUT 60)
  endif()
  if(PLUMBLINE_BENCH AND benches)
    add_executable(${NAME}_bench ${benches})
    target_link_libraries(${NAME}_bench PRIVATE plumbline_${NAME} plumbline_warnings benchmark::benchmark_main)
  endif()
endfunction()
