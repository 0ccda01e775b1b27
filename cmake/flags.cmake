# SPDX-License-Identifier: Apache-2.0
# Warnings and hardening live in one interface target; CMAKE_C_FLAGS is nobody's business.

option(HOLDFAST_WERROR "Warnings are errors" OFF)
option(HOLDFAST_SANITIZE "Build with AddressSanitizer and UndefinedBehaviorSanitizer" OFF)
option(HOLDFAST_HARDEN "Hardening flags for release builds" OFF)
option(HOLDFAST_COVERAGE "Build for gcov" OFF)

add_library(holdfast_flags INTERFACE)
target_compile_options(holdfast_flags INTERFACE
        -Wall -Wextra
        -Wno-unused-parameter           # callbacks have them
        -Wshadow                        # a second `r` has hidden a lost error before
        -Wundef
        -Wformat=2                      # formats are literals
        -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
        -Wpointer-arith -Wwrite-strings
        -Wvla                           # sizes come from peers: no arrays on the stack by them
        -Wimplicit-fallthrough
        -Wswitch-enum                   # a new enum value must be thought of everywhere
        $<$<C_COMPILER_ID:GNU>:-Wlogical-op -Wduplicated-cond>
        -fno-common -fno-strict-aliasing
        -UNDEBUG                        # assertions stay on in every build: they are cheap, and a lock cannot be taken back
        $<$<BOOL:${HOLDFAST_WERROR}>:-Werror>)
target_compile_definitions(holdfast_flags INTERFACE
        _GNU_SOURCE
        HOLDFAST_VERSION="${PROJECT_VERSION}")
target_compile_features(holdfast_flags INTERFACE c_std_17)

if(HOLDFAST_SANITIZE)
        target_compile_options(holdfast_flags INTERFACE
                -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
        target_link_options(holdfast_flags INTERFACE -fsanitize=address,undefined)
endif()
if(HOLDFAST_HARDEN)
        target_compile_options(holdfast_flags INTERFACE
                -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection -fPIE
                $<$<AND:$<STREQUAL:${CMAKE_SYSTEM_PROCESSOR},x86_64>,$<C_COMPILER_ID:GNU>>:-fcf-protection>)
        target_link_options(holdfast_flags INTERFACE -pie -Wl,-z,relro,-z,now,-z,noexecstack)
endif()
if(HOLDFAST_COVERAGE)
        target_compile_options(holdfast_flags INTERFACE --coverage -O0)
        target_link_options(holdfast_flags INTERFACE --coverage)
endif()
