import FederationEngine
import MatrixHTTP
import MatrixWire
import PresenceModel
import PresenceRuntime

extension AdminGateway {
    /// Peers in one answer, unless fewer are asked for.
    static let peersLimit = 1000

    /// `GET /_presenced/admin/v1/peers?limit=100&from=name` → 200 `{"peers":[…],"next":"name","total":…}`: other servers,
    /// in the order of their names, from `from` on; `next`, the `from` of the next page, is missing on the last.
    func getPeers(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        var limit = 100
        if let text = try request.queryValue("limit") {
            guard let count = Int(text), (1...AdminGateway.peersLimit).contains(count) else {
                throw MatrixErrorBody(
                    .invalidParameter, "limit is a whole number from 1 to \(AdminGateway.peersLimit).")
            }
            limit = count
        }
        var first: ServerName?
        if let text = try request.queryValue("from") {
            guard let name = try? ServerName(parsing: text) else {
                throw MatrixErrorBody(.invalidParameter, "from is not a server name.")
            }
            first = name
        }
        let (page, now) = await runtime.inspect { [limit, first] instance, now in
            (instance.federation.peers(from: first, limit: limit, at: now), now)
        }
        return .json(
            CanonicalJSON.encode(
                fields([
                    "now_ts": now.json, "peers": .array(page.peers.map(\.json)),
                    "next": page.next.map { .string($0.text) }, "total": .integer(Int64(page.total)),
                ])))
    }
}

extension PeerView {
    var json: JSONValue {
        func count(_ number: Int) -> JSONValue { .integer(Int64(number)) }
        return fields([
            "server": .string(server.text), "kind": .string(kind.rawValue), "dialect": .string(dialect.rawValue),
            "silent_since_ts": silentSince?.json, "opted_out_until_ts": optedOutUntil?.json,
            "audience": count(audience), "promises_given": count(promisesGiven), "wanted": count(wanted),
            "promises_held": count(promisesHeld), "short_due_ts": shortDue?.json, "silent_due_ts": silentDue?.json,
            "long_due_ts": longDue?.json, "window_opened_ts": windowOpened?.json,
            "window_closes_ts": windowCloses?.json, "states_waiting": count(statesWaiting),
            "polls_waiting": count(pollsWaiting), "permissions_waiting": count(permissionsWaiting),
            "in_flight_since_ts": inFlightSince?.json, "underway": .bool(isUnderway), "failures": count(failures),
            "retry_at_ts": retryAt?.json, "last_heard_ts": lastHeard?.json, "last_sent_ts": lastSent?.json,
            "counts": counts.json,
        ])
    }
}

extension PeerCounts {
    fileprivate var json: JSONValue {
        func count(_ number: UInt64) -> JSONValue { .integer(Int64(clamping: number)) }
        var unsent = JSONObject()
        for reason in Unsent.allCases where self[reason] > 0 { unsent[reason.rawValue] = count(self[reason]) }
        return fields([
            "transactions_sent": count(transactionsSent), "edus_sent": count(edusSent),
            "states_sent": count(statesSent), "transactions_received": count(transactionsReceived),
            "states_received": count(statesReceived), "not_sent": .object(unsent),
        ])
    }
}
