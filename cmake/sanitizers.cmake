# PLUMBLINE_SANITIZE=address or thread instruments everything, third-party shims included.
set(PLUMBLINE_SANITIZE "" CACHE STRING "Sanitizer: empty, address (with undefined) or thread")
if(PLUMBLINE_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(PLUMBLINE_SANITIZE STREQUAL "thread")
  # g++ 12 warns that fences inside Asio are not understood by the sanitizer; they are not what we test.
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer -Wno-tsan)
  add_link_options(-fsanitize=thread)
elseif(PLUMBLINE_SANITIZE)
  message(FATAL_ERROR "PLUMBLINE_SANITIZE must be empty, address or thread, not '${PLUMBLINE_SANITIZE}'")
endif()
