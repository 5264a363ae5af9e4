# The one warnings target that every target of ours links privately. Third-party headers are system headers.
# Errors with the baseline compiler (g++ 12) only: a newer one warns of other things, in library headers too, and a
# stranger's build must not end there. PLUMBLINE_WERROR overrides.
set(baseline OFF)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  set(baseline ON)
endif()
option(PLUMBLINE_WERROR "Warnings are errors" ${baseline})
add_library(plumbline_warnings INTERFACE)
target_compile_options(plumbline_warnings INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wold-style-cast $<$<BOOL:${PLUMBLINE_WERROR}>:-Werror>>
  "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra,-Wshadow$<$<BOOL:${PLUMBLINE_WERROR}>:$<COMMA>-Werror>>"
  $<$<AND:$<COMPILE_LANGUAGE:CUDA>,$<BOOL:${PLUMBLINE_WERROR}>>:-Werror=all-warnings>)
