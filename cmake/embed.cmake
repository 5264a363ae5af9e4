# plumbline_embed(TARGET HEADER header.hpp NAMESPACE ns FILES name=path ...): text files as string_view constants.
#
# Each file becomes a .cpp in the build tree that defines `ns::name`, declared in HEADER by hand; a change of the file
# rebuilds it. Run with -P this file is the generator itself.
#
# plumbline_embed_folder(TARGET HEADER header.hpp TYPE Entry FUNCTION name PATTERN glob KEY NAME|NAME_WE): all text files of a
# folder as `std::vector<refserver::Entry>` of {key, text}, given by the function that HEADER declares.
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

function(plumbline_embed_folder TARGET)
  cmake_parse_arguments(ARG "" "HEADER;TYPE;FUNCTION;PATTERN;KEY" "" ${ARGN})
  file(GLOB files CONFIGURE_DEPENDS ${ARG_PATTERN})
  set(entries "")
  foreach(file ${files})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    get_filename_component(key ${file} ${ARG_KEY})
    file(READ ${file} text)
    string(APPEND entries "      {\"${key}\", R\"PLUMBLINE(${text})PLUMBLINE\"},\n")
  endforeach()
  set(output ${CMAKE_CURRENT_BINARY_DIR}/embedded/${ARG_FUNCTION}.cpp)
  file(CONFIGURE OUTPUT ${output} @ONLY CONTENT
"// Made from a folder of data files by cmake/embed.cmake.
#include \"@ARG_HEADER@\"

namespace refserver {

std::vector<@ARG_TYPE@> @ARG_FUNCTION@() {
  return {
@entries@  };
}

}  // namespace refserver
")
  target_sources(${TARGET} PRIVATE ${output})
endfunction()
