# plumbline_embed(TARGET HEADER header.hpp NAMESPACE ns FILES name=path ...): text files as string_view constants.
#
# Each file becomes a .cpp in the build tree that defines `ns::name`, declared in HEADER by hand; a change of the file
# rebuilds it. Run with -P this file is the generator itself.
if(CMAKE_SCRIPT_MODE_FILE)
  file(READ ${SOURCE} text)
  # Raw literals hold anything but their own end marker.
  string(FIND "${text}" ")PLUMBLINE\"" marker)
  if(NOT marker EQUAL -1)
    message(FATAL_ERROR "${SOURCE} contains the end marker of a raw string literal")
  endif()
  file(WRITE ${OUTPUT} "// Made from a data file by cmake/embed.cmake.\n#include \"${HEADER}\"\n\nnamespace ${NAMESPACE} {\n"
    "const std::string_view ${NAME} = R\"PLUMBLINE(")
  file(APPEND ${OUTPUT} "${text}")
  file(APPEND ${OUTPUT} ")PLUMBLINE\";\n}  // namespace ${NAMESPACE}\n")
  return()
endif()

function(plumbline_embed TARGET)
  cmake_parse_arguments(ARG "" "HEADER;NAMESPACE" "FILES" ${ARGN})
  foreach(pair ${ARG_FILES})
    string(REGEX MATCH "^([a-z_0-9]+)=(.+)$" matched ${pair})
    set(name ${CMAKE_MATCH_1})
    set(source ${CMAKE_MATCH_2})
    set(output ${CMAKE_CURRENT_BINARY_DIR}/embedded/${name}.cpp)
    add_custom_command(OUTPUT ${output}
      COMMAND ${CMAKE_COMMAND} -DSOURCE=${source} -DOUTPUT=${output} -DNAME=${name} -DHEADER=${ARG_HEADER}
        -DNAMESPACE=${ARG_NAMESPACE} -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
      DEPENDS ${source} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
      COMMENT "Embedding ${name}" VERBATIM)
    target_sources(${TARGET} PRIVATE ${output})
  endforeach()
endfunction()
