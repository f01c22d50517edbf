import FederationEngine
import MatrixWire
import PresenceModel

extension PresenceMessage {
    /// The EDU that `MatrixFederation` makes of it, with ages in whole minutes.
    func wireForm(composed: Instant) -> PresenceEDU {
        PresenceEDU(
            push: push.map { report in
                PresencePush(
                    user: report.user, state: report.presence.state, statusText: report.presence.statusText,
                    lastActiveAgoMilliseconds: report.presence.coarseAgeMilliseconds(
                        at: composed, granularityMilliseconds: 60_000),
                    deviceType: report.presence.deviceType)
            },
            poll: poll, unpoll: unpoll, query: query, watch: watch, promiseMilliseconds: promise?.inMilliseconds,
            reminder: reminder.map { reminder in
                PresenceEDU.Reminder(
                    promised: reminder.promised.wireForm, held: reminder.held?.wireForm,
                    isComplete: reminder.isComplete)
            })
    }
}

extension PresenceMessage.Reminder.Summary {
    fileprivate var wireForm: PresenceEDU.Reminder.Summary {
        let digits = String(digest, radix: 16)
        return PresenceEDU.Reminder.Summary(
            count: Int64(count), digest: String(repeating: "0", count: 16 - digits.utf8.count) + digits)
    }
}

/// Bytes of HTTP/1.1 around a transaction's body, both ways; what TLS and TCP add is left out.
///
/// Names are of one length here, so that both kinds of server are measured alike. Synapse's lines are those of
/// `Fixtures/Matrix/federation_presence_transitions.jsonl`.
enum ThriftOverhead {
    /// As long as the names of keys that presenced makes.
    private static let key = "ed25519:p_ab3def5h"
    /// As long as those that Synapse makes.
    private static let synapseKey = "ed25519:a_AbCd"
    private static let signature = String(repeating: "s", count: 86)

    static func presenced(transaction: String, bodyBytes: Int, from: ServerName, to: ServerName) -> Int {
        fixedPresenced + transaction.utf8.count + digits(of: bodyBytes) + from.text.utf8.count + 2 * to.text.utf8.count
    }

    /// Transactions are numbered from the time of the start in milliseconds.
    static func synapse(bodyBytes: Int, nameBytes: Int) -> Int {
        fixedSynapse + 13 + digits(of: bodyBytes) + 3 * nameBytes
    }

    private static func digits(of number: Int) -> Int {
        var (rest, digits) = (number / 10, 1)
        while rest > 0 { (rest, digits) = (rest / 10, digits + 1) }
        return digits
    }

    private static let fixedPresenced =
        count([
            "PUT /_matrix/federation/v1/send/ HTTP/1.1", "Host: ", "User-Agent: presenced",
            "Authorization: X-Matrix origin=\"\",destination=\"\",key=\"\(key)\",sig=\"\(signature)\"",
            "Content-Type: application/json", "Content-Length: ", "",
            "HTTP/1.1 200 OK", "Content-Type: application/json", "Content-Length: 11", "",
        ]) + 11

    private static let fixedSynapse =
        count([
            "PUT /_matrix/federation/v1/send/ HTTP/1.1", "Content-Length: ", "User-Agent: Synapse/1.163.2",
            "Content-Type: application/json",
            "Authorization: X-Matrix origin=\"\",key=\"\(synapseKey)\",sig=\"\(signature)\",destination=\"\"", "Host: ",
            "",
            "HTTP/1.1 200 OK", "Server: Synapse/1.163.2", "Date: Fri, 20 Nov 2026 23:36:12 GMT",
            "Content-Type: application/json", "Cache-Control: no-cache, no-store, must-revalidate",
            "Access-Control-Allow-Origin: *", "Access-Control-Allow-Methods: GET, HEAD, POST, PUT, DELETE, OPTIONS",
            "Access-Control-Allow-Headers: X-Requested-With, Content-Type, Authorization, Date",
            "Access-Control-Expose-Headers: Synapse-Trace-Id, Server", "Transfer-Encoding: chunked", "",
        ]) + 21

    /// Each line ends in two bytes.
    private static func count(_ lines: [String]) -> Int { lines.reduce(0) { $0 + $1.utf8.count + 2 } }
}
