import FederationEngine
import Foundation
import MatrixWire
import PresenceModel
import PresenceRuntime
import Synchronization
import Testing

@testable import MatrixFederation

struct `What we wish to be sent` {
    private static let all =
        #"{"m.presence":true,"org.presenced.presence_accept":true,"org.presenced.presence_deny":true,"#
        + #""org.presenced.presence_invite":true}"#

    @Test(arguments: [
        EDUOptOuts.target, "/_matrix/federation/v1/edutypes", "/_matrix/federation/v1/query/edutypes",
    ])
    func `is told to anyone, and to who signs if the signature is good`(target: String) async throws {
        let bench = try await PeerBench { $0.access = ServerAccess(deny: [try ServerGlob(parsing: "b.org")]) }
        let unsigned = PeerBench.Written(method: "GET", target: target)
        #expect(try await bench.ask(unsigned).text == `What we wish to be sent`.all)
        #expect(try await bench.ask(try bench.signed("GET", target, from: "a.org")).verdict == "200")
        let other = try bench.signed("GET", "\(target)?x", from: "a.org")
        let forged = PeerBench.Written(method: "GET", target: target, authorization: other.authorization)
        #expect(try await bench.ask(forged).verdict == "401 M_UNAUTHORIZED")
        #expect(try await bench.ask(try bench.signed("GET", target, from: "b.org")).verdict == "403 M_FORBIDDEN")
    }

    @Test func `is nothing of ours where we do not listen`() async throws {
        let bench = try await PeerBench(directions: .send)
        let text = try await bench.ask(PeerBench.Written(method: "GET", target: EDUOptOuts.target)).text
        #expect(text == `What we wish to be sent`.all.replacingOccurrences(of: "true", with: "false"))
        #expect(EDUTypesBody(decoding: Array(text.utf8)) == .nothing)
    }
}

/// A server that is asked what it wants, and sent what it wants.
private final class Destination: Sendable {
    struct Sent: Sendable {
        var target: String
        var body: JSONValue
    }

    enum Says: Sendable {
        case reply(Int, String = "", after: Int? = nil)
        case fails(FederationError.Code)
    }

    private let says: Mutex<Says>
    private let asked = Mutex(0)
    private let taken = Mutex<[Sent]>([])

    init(_ says: Says) { self.says = Mutex(says) }

    var questions: Int { asked.withLock { $0 } }
    var sent: [Sent] { taken.withLock { $0 } }

    func say(_ new: Says) { says.withLock { $0 = new } }

    func answer(_ server: ServerName) throws(FederationError) -> FederationTransport.Reply {
        asked.withLock { $0 += 1 }
        switch says.withLock({ $0 }) {
        case .reply(let status, let text, let after):
            return FederationTransport.Reply(
                status: status, body: Array(text.utf8), retryAfter: after.map { .seconds($0) })
        case .fails(let code): throw FederationError(code, server, "as the test wants it")
        }
    }

    func take(_ target: String, _ body: [UInt8]) -> FederationTransport.Reply {
        let parsed = (try? JSONParser.strict.parse(body).value) ?? .null
        taken.withLock { $0.append(Sent(target: target, body: parsed)) }
        return FederationTransport.Reply(status: 200, body: [], retryAfter: nil)
    }
}

struct `What others wish to be sent` {
    private let clock = HandClock()
    private let server: ServerName
    private let peer: ServerName

    init() throws {
        server = try ServerName(parsing: "x.org")
        peer = try ServerName(parsing: "a.org")
    }

    private func sender(to destination: Destination, access: ServerAccess = .everyone) -> TransactionSender {
        let optOuts = EDUOptOuts(clock: clock, logger: PeerBench.quiet) { (server) throws(FederationError) in
            try destination.answer(server)
        }
        return TransactionSender(
            server: server, keys: OwnKeys([.generate()]), turns: AttemptTurns(limit: 10), access: access,
            optOuts: optOuts, busyValue: .unavailable,
            ageGranularity: .seconds(60), clock: clock, logger: PeerBench.quiet
        ) { (_, target, _, _, body) throws(FederationError) in destination.take(target, body) }
    }

    private func transaction(_ kinds: [PermissionMessage.Kind] = [], states: Bool = true) throws -> OutgoingTransaction
    {
        let (observed, observer) = (try UserID(parsing: "@u:x.org"), try UserID(parsing: "@v:a.org"))
        var message = PresenceMessage()
        message.poll = [observer]
        return OutgoingTransaction(
            id: "pd-1-1", destination: peer, composed: clock.now,
            permissions: kinds.map { PermissionMessage($0, observed: observed, observer: observer, request: 1) },
            messages: states ? [message] : [])
    }

    private func types(_ sent: Destination.Sent?) -> [String] {
        (sent?.body["edus"]?.array ?? []).compactMap { $0["edu_type"]?.string }
    }

    @Test func `is asked before the first transaction, and again after a day`() async throws {
        let destination = Destination(.reply(200, "{}"))
        let sender = sender(to: destination)
        for _ in 0..<5 { #expect(await sender.deliver(try transaction()) == .delivered) }
        #expect(destination.questions == 1 && destination.sent.count == 5)
        clock.move(by: .hours(24) - .milliseconds(1))
        #expect(await sender.deliver(try transaction()) == .delivered)
        #expect(destination.questions == 1)
        clock.move(by: .milliseconds(1))
        destination.say(.reply(200, #"{"m.presence":false}"#))
        #expect(await sender.deliver(try transaction()) == .failed(.optedOut))
        #expect(destination.questions == 2 && destination.sent.count == 6)
        clock.move(by: .hours(24))
        destination.say(.reply(200, #"{"m.presence":true}"#))
        #expect(await sender.deliver(try transaction()) == .delivered)
    }

    @Test(arguments: [400, 401, 403, 404, 405, 410])
    func `is everything where the question is not known`(status: Int) async throws {
        let destination = Destination(.reply(status, #"{"errcode":"M_UNRECOGNIZED","error":"Unrecognized request"}"#))
        let sender = sender(to: destination)
        for _ in 0..<3 { #expect(await sender.deliver(try transaction([.invite])) == .delivered) }
        #expect(destination.questions == 1 && types(destination.sent.last).count == 2)
    }

    @Test(arguments: [
        "", "[]", "null", "nonsense", #"{"m.presence":0}"#, #"{"m.presence":"false"}"#, #"{"m.typing":false}"#,
    ])
    func `is everything where the answer does not say otherwise`(text: String) async throws {
        let destination = Destination(.reply(200, text))
        #expect(await sender(to: destination).deliver(try transaction()) == .delivered)
    }

    @Test func `is all that leaves`() async throws {
        let destination = Destination(.reply(200, #"{"m.presence":false,"org.presenced.presence_deny":false}"#))
        let sender = sender(to: destination)
        #expect(await sender.deliver(try transaction()) == .failed(.optedOut))
        #expect(await sender.deliver(try transaction([.deny])) == .failed(.optedOut))
        #expect(destination.sent.isEmpty)
        #expect(await sender.deliver(try transaction([.invite, .deny])) == .delivered)
        #expect(types(destination.sent.last) == ["org.presenced.presence_invite"])
        destination.say(.reply(200, #"{"org.presenced.presence_invite":false}"#))
        clock.move(by: .hours(24))
        #expect(await sender.deliver(try transaction([.invite])) == .delivered)
        #expect(types(destination.sent.last) == ["m.presence"])
    }

    @Test(arguments: [FederationError.Code.timedOut, .refused(status: 502), .refused(status: 429)])
    func `is taken for everything after three questions without an answer`(code: FederationError.Code) async throws {
        let destination = Destination(.fails(.timedOut))
        if case .refused(let status) = code { destination.say(.reply(status, after: status == 429 ? 7 : nil)) }
        let wait: Duration? = code == .refused(status: 429) ? .seconds(7) : nil
        let sender = sender(to: destination)
        for _ in 0..<2 { #expect(await sender.deliver(try transaction()) == .failed(.unanswered(after: wait))) }
        for _ in 0..<5 { #expect(await sender.deliver(try transaction()) == .delivered) }
        #expect(destination.questions == 3)
        // An hour later it is asked once more, and goes on as before.
        clock.move(by: EDUOptOuts.pause)
        for _ in 0..<3 { #expect(await sender.deliver(try transaction()) == .delivered) }
        #expect(destination.questions == 4)
        destination.say(.reply(200, #"{"m.presence":false}"#))
        clock.move(by: EDUOptOuts.pause)
        #expect(await sender.deliver(try transaction()) == .failed(.optedOut))
    }

    @Test func `is waited for longer where nobody is there at all`() async throws {
        let destination = Destination(.fails(.unreachable))
        let sender = sender(to: destination)
        for _ in 0..<11 { #expect(await sender.deliver(try transaction()) == .failed(.unanswered(after: nil))) }
        #expect(destination.sent.isEmpty)
        #expect(await sender.deliver(try transaction()) == .delivered)
    }

    @Test func `holds until there is a new answer`() async throws {
        let destination = Destination(.reply(200, #"{"m.presence":false}"#))
        let sender = sender(to: destination)
        #expect(await sender.deliver(try transaction()) == .failed(.optedOut))
        destination.say(.fails(.timedOut))
        clock.move(by: .hours(24))
        for _ in 0..<5 { #expect(await sender.deliver(try transaction()) == .failed(.optedOut)) }
        #expect(destination.questions == 2)
    }

    @Test func `is not asked of a server that is not talked to`() async throws {
        let destination = Destination(.reply(404))
        let sender = sender(to: destination, access: ServerAccess(deny: [try ServerGlob(parsing: "a.*")]))
        #expect(await sender.deliver(try transaction([.invite])) == .failed(.optedOut))
        #expect(destination.questions == 0 && destination.sent.isEmpty)
    }
}
