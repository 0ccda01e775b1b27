# SPDX-License-Identifier: Apache-2.0
#
# holdfast_test(NAME ROOMS room ... [USES target ...] [WRAP function ...] [SOURCES file ...])
#
# A cmocka test <name>.c, linked against the rooms that ship. Runs with the source folder's test data in HOLDFAST_TEST_DATA.
function(holdfast_test NAME)
        cmake_parse_arguments(PARSE_ARGV 1 TEST "" "" "ROOMS;USES;WRAP;SOURCES")
        add_executable(${NAME} ${NAME}.c ${TEST_SOURCES})
        target_link_libraries(${NAME} PRIVATE holdfast_flags ${TEST_ROOMS} ${TEST_USES} PkgConfig::CMOCKA)
        foreach(function IN LISTS TEST_WRAP)
                target_link_options(${NAME} PRIVATE -Wl,--wrap=${function})
        endforeach()
        set_target_properties(${NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
        add_test(NAME ${NAME} COMMAND ${NAME})
        set_tests_properties(${NAME} PROPERTIES
                ENVIRONMENT "HOLDFAST_TEST_DATA=${CMAKE_CURRENT_SOURCE_DIR}/data"
                LABELS unit TIMEOUT 120)
endfunction()
