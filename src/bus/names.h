/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the daemon's face on D-Bus is called, for both of its sides. org.holdfast1(5) has the methods, properties and signals:
 *
 *      Reload() → u rejected                   GetInstance(s name) → aa{sv}
 *      Reconcile(as names) → u controls        ListInstances(u offset, u limit, s filter) → u total, aa{sv}
 *      Thaw(s origin or "") → u endpoints      ListEndpoints() → aa{sv}
 */

#define BUS_NAME "org.holdfast1"
#define BUS_PATH "/org/holdfast1"
#define BUS_INTERFACE "org.holdfast1.Manager"

#define BUS_ERROR_NO_SUCH_INSTANCE "org.holdfast1.Error.NoSuchInstance"
#define BUS_ERROR_NO_SUCH_ENDPOINT "org.holdfast1.Error.NoSuchEndpoint"
#define BUS_ERROR_BAD_FILTER "org.holdfast1.Error.BadFilter"
#define BUS_ERROR_RELOAD_FAILED "org.holdfast1.Error.ReloadFailed"
#define BUS_ERROR_STOPPING "org.holdfast1.Error.Stopping"
/* And of the bus itself: org.freedesktop.DBus.Error.AccessDenied, .InteractiveAuthorizationRequired, .InvalidArgs, .LimitsExceeded. */

/* Most controls in one reply of ListInstances(), whatever is asked for. */
#define BUS_PAGE_MAX 1000
