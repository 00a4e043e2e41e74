/* ctl.h - commands to a slot and answers to the master.
 *
 * One message is one SOCK_SEQPACKET datagram: struct ctl_head and a body.  From
 * master to slot it may carry one descriptor, checked for MSG_CTRUNC.  Nothing
 * here has an order towards chat; that travels on the bus.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BUS_CTL_H
#define BANTER_BUS_CTL_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

#define CTL_VERSION 1
#define CTL_MAX     16384

/* In which a client completes a handshake that has begun: the kernel asks it
 * again after 1 and 3 s if the answer was lost. */
#define CTL_LEAVE_MS 5000

enum ctl_type {
	/* Master to worker. */
	CTL_PREPARE = 1, /* fd: sealed configuration; tag: its generation.
			  * Answer CTL_PREPARED */
	CTL_LISTENER,    /* fd: a listener of this slot; struct ctl_listener.
			  * Kept aside until CTL_COMMIT */
	CTL_COMMIT,      /* tag: use the prepared configuration and listeners;
			  * struct ctl_listener for every address that it has,
			  * old and new.  The others are leaving: what comes in
			  * their queues is accepted for CTL_LEAVE_MS (if shared:
			  * what waits), then CTL_LISTENER_DONE */
	CTL_ABORT,       /* tag: forget them, close the listeners */
	CTL_LOG,         /* fd: the reopened log file */
	CTL_QUOTA,       /* struct ctl_number: you may have that many clients */
	CTL_RECALL,      /* struct ctl_number: give back what is above it and
			  * above the clients you have.  Answer CTL_KEPT */
	CTL_CLIENTS,     /* struct ctl_page.  Answer CTL_CLIENT_PAGE */
	CTL_KICK,        /* struct ctl_number: the session; then the reason */
	CTL_STOP,        /* struct ctl_number: say goodbye, flush, and exit
			  * within that many ms */
	CTL_PARK,        /* end the turn and exit with SLOT_EXIT_PARKED: another
			  * image, or another keeper's worker, goes on over the
			  * arena */
	CTL_GO,          /* to a worker that waits_for_go: you are the one */
	CTL_SKIP,        /* struct ctl_frame: it ends workers; do not show it */
	CTL_DRAIN, /* struct ctl_number: others take the new clients: close
		    * shared listeners.  1: and exit with 0 if there is no
		    * client and nothing to send to the master */
	CTL_BANS,  /* fd: bans.h, for those inside too.  Nobody is let in before
		    * the first of these */
	CTL_ADDRESS_OF, /* struct ctl_number: a session.  Answer CTL_ADDRESS */
	/* Worker to master. */
	CTL_READY = 32,    /* start-up is over; clients are being served.
			    * struct ctl_number: what its sandbox is */
	CTL_PREPARED,      /* tag; body empty: yes, else why not */
	CTL_WANT,          /* the quota is used up and a client waits */
	CTL_KEPT,          /* struct ctl_number: the quota that is left */
	CTL_CLIENT_PAGE,   /* tag; struct ctl_page, then struct ctl_client each
			    * with its strings (bus_put_str): nick, rooms joined
			    * by ',' and cut with "..." at 200 bytes */
	CTL_LISTENER_DONE, /* struct ctl_listener: a removed listener's queue is
			    * empty and this slot is done with it */
	CTL_POISONED,      /* struct ctl_frame: it has ended this slot's worker
			    * twice and was skipped */
	CTL_ADDRESS,       /* tag; struct ctl_address */
	CTL_BANS_HAD,      /* CTL_BANS was read: there may be another */
	CTL_LOG_LOST       /* the system's log is to be connected anew */
};

struct ctl_head {
	uint32_t version; /* CTL_VERSION */
	uint32_t type;    /* enum ctl_type */
	uint64_t tag;     /* an answer bears its question's */
};

struct ctl_number {
	uint64_t n;
};

struct ctl_listener {
	uint32_t listen;  /* index in conf.listen of the configuration being
			   * prepared */
	uint32_t address; /* which of the master's addresses: slot.h */
	uint32_t shared;  /* 1: all slots wait on this very socket */
	uint32_t spare;
};

/* A frame that the master has sent, as every slot knows it. */
struct ctl_frame {
	uint64_t sender;   /* session */
	uint64_t sequence; /* of its room, or 0 */
	uint64_t time_ms;
	uint32_t room;
	uint32_t type; /* enum bus_type */
};

struct ctl_page {
	uint32_t first; /* go on at this descriptor; answer: where to go on, or
			 * 0 at the end */
	uint32_t n;     /* answer: clients in this page */
};

struct ctl_client {
	uint64_t session;
	uint64_t since_ms; /* wall clock */
	uint64_t idle_ms;
	uint64_t bytes_in, bytes_out;
	uint64_t pending; /* bytes of output */
	uint8_t address[16];
	uint16_t port;
	uint8_t local; /* a UNIX socket */
	uint8_t state; /* enum session_state, named by state_name */
	char state_name[12];
};

/* Where a session is from. */
struct ctl_address {
	uint64_t session; /* 0: there is none such any more */
	uint8_t address[16];
	uint32_t local; /* 1: a UNIX socket */
	uint32_t spare;
};

/* Send one message; fd -1: none.  0, -EAGAIN when the other side does not read,
 * -EMSGSIZE, -errno. */
int ctl_send(int sock, enum ctl_type type, uint64_t tag, const void *body,
	size_t len, int fd);

/* Receive one message into mem (CTL_MAX bytes, aligned to 8).  *ret_fd becomes
 * a close-on-exec descriptor or -1; the caller owns it.  1: a message; 0: end
 * of file (also ECONNRESET of a peer that died with unread data); -EAGAIN;
 * -EPROTO: truncated, wrong version, too short, or a descriptor where none may
 * be (any that came were closed); -errno. */
int ctl_recv(int sock, void *mem, bool may_carry_fd, struct ctl_head *ret_head,
	struct slice *ret_body, int *ret_fd);

#endif
