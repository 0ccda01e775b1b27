/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * ControlStatus in a D-Bus message, as a dictionary a{sv}, and back. Keys and types are those of status_fields[], so that the daemon,
 * holdfastctl and the manual cannot differ; members that are not set are left out.
 *
 *      type of a field         on the bus
 *      STATUS_TEXT             s
 *      STATUS_BOOL             b
 *      STATUS_UINT             u
 *      STATUS_UINT64           t
 *      STATUS_TIME             t, microseconds since 1970 UTC; UINT64_MAX: never
 *      STATUS_DURATION         t, microseconds
 */

#include <systemd/sd-bus.h>

#include "facts/status.h"

#define STATUS_MESSAGE_TYPE "a{sv}"

/* Appends one dictionary. Texts come out as valid UTF-8 on one line, whatever they were. Return: 0 or -errno. */
int status_message_append(sd_bus_message *m, const ControlStatus *s);
int status_message_append_endpoint(sd_bus_message *m, const EndpointStatus *s);        /* likewise, by endpoint_status_fields[] */

/**
 * status_message_read() - read the next dictionary
 * @m:          stands at an a{sv}, or within an array of them (entered by the caller)
 * @ret:        texts belong to @m
 *
 * Keys that are not known are passed over: a daemon may be newer than its reader. One that is known with another type is an error.
 *
 * Return: 1; 0 at the end of the enclosing array; -EBADMSG or what sd-bus says.
 */
int status_message_read(sd_bus_message *m, ControlStatus *ret);
int status_message_read_endpoint(sd_bus_message *m, EndpointStatus *ret);
