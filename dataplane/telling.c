#include "dataplane/telling.h"

void hg_telling_add(struct hg_worker *w, struct hg_port *port)
{
	if (port->is_telling)
		return;
	port->is_telling = true;
	port->tell_at_ns = port->dev->tell_at_ns;
	port->next_telling = NULL;
	if (port->tell_at_ns <= w->now_ns + 1) {
		port->next_telling = w->telling_head;
		w->telling_head = port;
		if (port->next_telling == NULL)
			w->telling_tail = port;
		return;
	}
	if (w->telling_head == NULL)
		w->telling_head = port;
	else
		w->telling_tail->next_telling = port;
	w->telling_tail = port;
}

void hg_telling_until(struct hg_worker *w, hg_ns until_ns)
{
	while (w->telling_head != NULL && w->telling_head->tell_at_ns <= until_ns) {
		struct hg_port *port = w->telling_head;

		w->telling_head = port->next_telling;
		port->is_telling = false;
		port->dev->driver->tell(port->dev);
	}
}
