# Every library that is not ours, each behind one target. All of them are Debian packages (see ./dev help).
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(CURL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(yaml-cpp REQUIRED)
if(NOT TARGET yaml-cpp::yaml-cpp) # Debian 12's 0.7 exports the name without a namespace.
  add_library(yaml-cpp::yaml-cpp ALIAS yaml-cpp)
endif()

find_library(PLUMBLINE_PCRE2 NAMES pcre2-8 REQUIRED) # Debian 12's package brings no CMake file.
find_path(PLUMBLINE_PCRE2_HEADERS NAMES pcre2.h REQUIRED)
add_library(PCRE2::8BIT UNKNOWN IMPORTED)
set_target_properties(PCRE2::8BIT PROPERTIES
  IMPORTED_LOCATION ${PLUMBLINE_PCRE2} INTERFACE_INCLUDE_DIRECTORIES ${PLUMBLINE_PCRE2_HEADERS})

# Asio and Beast are compiled once here instead of in every file that includes them.
add_library(plumbline_asio STATIC ${CMAKE_SOURCE_DIR}/cmake/boost_asio.cpp)
target_compile_definitions(plumbline_asio PUBLIC
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED)
target_link_libraries(plumbline_asio PUBLIC Boost::headers Threads::Threads)

if(PLUMBLINE_TESTS)
  find_package(GTest REQUIRED)
  find_package(rapidcheck REQUIRED)
  include(GoogleTest)
endif()
if(PLUMBLINE_BENCH)
  find_package(benchmark REQUIRED)
endif()
