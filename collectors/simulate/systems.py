"""The systems that can be simulated, each written as a choreography."""

from __future__ import annotations

from collectors.simulate.flows import DAY, HOUR, Call, Emit, Flow, Pause, Step

_MAIL = Call("mail-provider", "POST /v1/messages", external=True)

ORDER = Flow(
    name="order",
    keys=("order.id", "app.order_id"),
    prefix="ord",
    route="POST /orders",
    start=Step("orders", "", (Emit("orders.placed"),), db="orders"),
    steps=(
        Step("notification", "orders.placed", calls=(_MAIL,)),
        Step(
            "inventory",
            "orders.placed",
            (Emit("stock.reserved", ("ok",)), Emit("stock.rejected", ("rejected",))),
            db="inventory",
        ),
        Step("logistics", "orders.placed", (Emit("parcel.assigned"),), db="logistics"),
        Step("orders", "stock.reserved", db="orders"),
        Step("orders", "stock.rejected", db="orders"),
    ),
    extra=("rejected",),
)

ELECTRONICS = Flow(
    name="electronics",
    keys=("order.id", "app.order_id"),
    prefix="elo",
    route="POST /orders",
    start=Step("shop", "", (Emit("order.placed"),), db="shop"),
    steps=(
        Step(
            "payments",
            "order.placed",
            (
                Emit("payment.captured", ("ok", "back-order", "failed")),
                Emit("payment.rejected", ("rejected",)),
            ),
            db="payments",
            calls=(Call("fraud", "POST /checks", db="fraud"),),
        ),
        Step(
            "warehouse",
            "payment.captured",
            (Emit("stock.reserved", ("ok", "failed")), Emit("stock.backordered", ("back-order",))),
            db="warehouse",
            pause=Pause(
                "restock",
                2 * DAY,
                0.5,
                (Emit("stock.reserved"),),
                only=("back-order",),
                human=False,
            ),
        ),
        Step("payments", "stock.backordered", (Emit("payment.held"),), db="payments"),
        Step(
            "shipping",
            "stock.reserved",
            (Emit("order.fulfilled", ("ok", "back-order")), Emit("shipment.failed", ("failed",))),
            db="shipping",
            calls=(Call("carrier", "POST /labels", external=True, fails=("failed",)),),
        ),
        Step("notification", "order.fulfilled", (Emit("order.confirmed"),), calls=(_MAIL,)),
        Step("notification", "payment.rejected", (Emit("customer.notified"),), calls=(_MAIL,)),
        Step("payments", "shipment.failed", (Emit("payment.refunded"),), db="payments"),
        Step("warehouse", "shipment.failed", (Emit("stock.released"),), db="warehouse"),
        Step("shop", "payment.refunded", (Emit("order.cancelled"),), db="shop"),
    ),
    variants={"ok": 0.88, "rejected": 0.07, "back-order": 0.05},
    extra=("failed",),
    undo=(("payments", "shipment.failed"), ("warehouse", "shipment.failed")),
)

EXIT = Flow(
    name="exit",
    keys=("employee.id", "app.employee_id"),
    prefix="emp",
    route="POST /resignations",
    start=Step("hr-portal", "", (Emit("employee.resigned"),), db="hr"),
    steps=(
        Step("notification", "employee.resigned", calls=(_MAIL,)),
        Step(
            "interviews",
            "employee.resigned",
            (Emit("interview.scheduled"),),
            db="interviews",
            pause=Pause("POST /interviews/{id}/decision", 2 * DAY, 0.8, (Emit("exit.decided"),)),
        ),
        Step("access", "employee.resigned", (Emit("access.blocked"),), db="access"),
        Step("directory", "access.blocked", db="directory"),
        Step(
            "access",
            "exit.decided",
            (Emit("access.revoked", ("leaves",)), Emit("access.restored", ("stays",))),
            db="access",
        ),
        Step("directory", "access.revoked", db="directory"),
        Step("directory", "access.restored", db="directory"),
    ),
    variants={"leaves": 0.75, "stays": 0.25},
    undo=(("access", "exit.decided"),),
)

TICKETS = Flow(
    name="tickets",
    keys=("ticket.number", "app.ticket_number"),
    prefix="tic",
    route="POST /tickets",
    start=Step("helpdesk", "", (Emit("ticket.created"),), db="helpdesk"),
    steps=(
        Step("dispatch", "ticket.created", (Emit("ticket.assigned"),), db="dispatch"),
        Step("dispatch", "ticket.reassigned", (Emit("ticket.assigned"),), db="dispatch"),
        Step(
            "routing",
            "ticket.assigned",
            (Emit("ticket.reassigned", ("again",)), Emit("ticket.routed", ("settled",))),
            db="routing",
        ),
        Step(
            "field",
            "ticket.routed",
            db="field",
            pause=Pause("POST /visits/{id}/report", 5 * HOUR, 0.6, (Emit("ticket.fixed"),)),
        ),
        Step("survey", "ticket.fixed", (Emit("ticket.surveyed"),), calls=(_MAIL,)),
        Step("helpdesk", "ticket.fixed", (Emit("ticket.closed"),), db="helpdesk"),
    ),
    loops=0.3,
)

LOGIN = Flow(
    name="login",
    keys=("login.id", "app.login_id"),
    prefix="log",
    route="POST /login",
    start=Step(
        "gateway",
        "",
        calls=(
            Call(
                "auth",
                "POST /verify",
                db="users",
                calls=(
                    Call(
                        "otp",
                        "POST /otp",
                        db="otp",
                        calls=(Call("sms-provider", "POST /sms", external=True),),
                    ),
                ),
            ),
            Call("session", "POST /sessions", db="sessions"),
        ),
    ),
)

RECOMMENDATIONS = Flow(
    name="recommendations",
    keys=("request.id", "app.request_id"),
    prefix="rec",
    route="GET /recommendations",
    start=Step(
        "web",
        "",
        calls=(
            Call(
                "recommender",
                "GET /recommend",
                calls=(
                    Call("profile", "GET /profiles/{id}", db="profiles"),
                    Call("catalogue", "GET /items", db="catalogue"),
                ),
            ),
        ),
    ),
)

MIGRATION = Flow(
    name="migration",
    keys=("order.id", "app.order_id"),
    prefix="mig",
    route="POST /orders",
    start=Step(
        "shop",
        "",
        (Emit("order.placed"), Emit("order.to-bill", ("new",))),
        db="shop",
        calls=(Call("legacy-billing", "POST /bills", db="billing", only=("old",)),),
    ),
    steps=(
        Step("shipping", "order.placed", (Emit("parcel.sent"),), db="shipping"),
        Step("billing", "order.to-bill", (Emit("invoice.created"),), db="invoices"),
        Step("notification", "invoice.created", calls=(_MAIL,)),
    ),
    variants={"old": 0.5, "new": 0.5},
)

SYSTEMS: dict[str, Flow] = {
    flow.name: flow
    for flow in (ORDER, ELECTRONICS, EXIT, TICKETS, LOGIN, RECOMMENDATIONS, MIGRATION)
}
