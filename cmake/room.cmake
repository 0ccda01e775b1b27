# SPDX-License-Identifier: Apache-2.0
#
# holdfast_room(NAME [KNOWS room ...] [USES target ...] [PRIVATE_USES target ...] SOURCES file ...)
#
# One static library per room. A room sees the headers of the rooms it knows and no others: each room's headers are reached through an
# include folder of its own, which holds nothing but a link to that room.
function(holdfast_room NAME)
        cmake_parse_arguments(PARSE_ARGV 1 ROOM "" "" "KNOWS;USES;PRIVATE_USES;SOURCES")
        set(view ${CMAKE_BINARY_DIR}/rooms/${NAME})
        file(MAKE_DIRECTORY ${view})
        file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${view}/${NAME} SYMBOLIC)

        add_library(${NAME} STATIC ${ROOM_SOURCES})
        target_include_directories(${NAME} PUBLIC ${view})
        target_link_libraries(${NAME} PUBLIC ${ROOM_KNOWS} ${ROOM_USES} PRIVATE holdfast_flags ${ROOM_PRIVATE_USES})
endfunction()
