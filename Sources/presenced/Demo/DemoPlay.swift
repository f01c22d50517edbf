import AsyncHTTPClient
import FederationEngine
import FixtureReplay
import Foundation
import MatrixWire
import NIOCore
import PresenceModel

/// What happens on the stage, step by step, and the table of who sees whom.
struct DemoPlay: Sendable {
    let stage: DemoStage
    let pause: Duration
    let recording: DemoRecording
    private let views = DemoViews()
    private let isTerminal = isatty(STDOUT_FILENO) == 1

    init(stage: DemoStage, pause: Duration, recording: DemoRecording) {
        self.stage = stage
        self.pause = pause
        self.recording = recording
    }

    private static let script: [(user: Int, state: String, text: String?, words: String)] = [
        (0, "online", "good morning", "ada says good morning"),
        (2, "org.matrix.msc3026.busy", "in a call", "cleo is busy"),
        (1, "unavailable", nil, "ben steps away"),
        (3, "online", "lunch at noon?", "dora asks about lunch"),
        (2, "online", nil, "cleo is back"),
        (0, "offline", nil, "ada leaves"),
    ]

    func perform() async throws {
        show("Two servers on loopback, TLS between them: \(DemoStage.names.north) and \(DemoStage.names.south).\n")
        try await putEveryoneOnEveryList()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for user in stage.users { group.addTask { try await views.follow(user, with: stage.client) } }
            let everyone = stage.users.map(\.id.text)
            let allThere = await views.wait(upTo: .seconds(20)) { seen in
                everyone.allSatisfy { observer in everyone.allSatisfy { seen[observer]?[$0]?.presence == "online" } }
            }
            await table(allThere ? "Four clients connect, and everyone sees everyone" : "Four clients connect")
            for step in DemoPlay.script { try await act(step) }
            try await replay()
            group.cancelAll()
        }
    }

    private func putEveryoneOnEveryList() async throws {
        for observer in stage.users {
            for observed in stage.users where observed.id != observer.id { try await add(observed.id, for: observer) }
        }
        // The recorded server knows nothing of lists: its users share a room with one of ours.
        let room = try RoomID(parsing: "!recorded:\(DemoStage.names.south)")
        for user in recording.users + [stage.users[3].id] {
            try await stage.south.runtime.perform(.roomJoined(user, room))
        }
    }

    private func add(_ user: UserID, for observer: DemoStage.User) async throws {
        let path = "/_matrix/client/unstable/org.presenced/presence/list/\(PercentEncoding.encode(user.text))"
        try await ask("PUT", observer.url + path, as: observer, body: "{}")
    }

    private func act(_ step: (user: Int, state: String, text: String?, words: String)) async throws {
        let user = stage.users[step.user]
        let path = "/_matrix/client/v3/presence/\(PercentEncoding.encode(user.id.text))/status"
        var body: JSONValue = ["presence": .string(step.state)]
        if let text = step.text { body = ["presence": .string(step.state), "status_msg": .string(text)] }
        let start = ContinuousClock.now
        let text = String(decoding: CanonicalJSON.encode(body), as: UTF8.self)
        try await ask("PUT", user.url + path, as: user, body: text)
        let wanted = DemoViews.Glimpse(presence: step.state, text: step.text)
        let everyone = stage.users.map(\.id.text)
        let isSeen = await views.wait(upTo: .seconds(20)) { seen in
            everyone.allSatisfy { seen[$0]?[user.id.text] == wanted }
        }
        let took = (ContinuousClock.now - start).inMilliseconds
        await table("\(step.words): \(isSeen ? "seen by all after \(took) ms" : "NOT seen by all")")
    }

    private func ask(_ method: String, _ url: String, as user: DemoStage.User, body: String) async throws {
        var request = HTTPClientRequest(url: url)
        request.method = .init(rawValue: method)
        request.headers.add(name: "Authorization", value: "Bearer \(user.token)")
        request.body = .bytes(Array(body.utf8))
        let response = try await stage.client.execute(request, timeout: .seconds(20))
        let text = String(buffer: try await response.body.collect(upTo: 65536))
        guard response.status.code == 200 else { throw StartFailure("\(method) \(url) answered \(text)") }
    }

    /// Sends the recorded transactions to the second server, byte for byte, as the real Synapse did.
    private func replay() async throws {
        show("\nRecorded traffic of a real Synapse (\(recording.transactions.count) transactions about ")
        show("\(recording.users.count) users), sent again to \(DemoStage.names.south):\n")
        show("  \(recording.verified) of \(recording.transactions.count) signatures verify with the recorded keys\n")
        var taken = 0
        for transaction in recording.transactions {
            guard case .bytes(let bytes) = transaction.body else { continue }
            if try await send(transaction, bytes) == 200 { taken += 1 }
        }
        show("  \(taken) of \(recording.transactions.count) were taken by the server\n")
        if let first = recording.transactions.first, case .bytes(var bytes) = first.body {
            bytes[bytes.count / 2] ^= 1
            show("  one of them with a bit flipped: status \(try await send(first, bytes))\n")
        }
        let dora = stage.users[3].id.text
        let users = recording.users
        let allSeen = await views.wait(upTo: .seconds(20)) { seen in users.allSatisfy { seen[dora]?[$0.text] != nil } }
        let count = allSeen ? users.count : views.count(of: users, by: dora)
        show("  dora sees \(count) of the \(users.count) recorded users, for example:\n")
        for user in users.prefix(4) {
            let glimpse = views.glimpse(of: user.text, by: dora)
            show("    \(user)  \(glimpse.map(DemoPlay.words) ?? "-")\n")
        }
        show("\n")
    }

    private func send(_ exchange: RecordedExchange, _ body: [UInt8]) async throws -> UInt {
        var request = HTTPClientRequest(url: stage.southFederation + exchange.target)
        request.method = .init(rawValue: exchange.method)
        for field in exchange.headers where !["content-length", "user-agent"].contains(field.name.lowercased()) {
            request.headers.add(name: field.name, value: field.value)
        }
        request.body = .bytes(body)
        let response = try await stage.client.execute(request, timeout: .seconds(20))
        _ = try await response.body.collect(upTo: 65536)
        return response.status.code
    }
}

// The table.
extension DemoPlay {
    private func table(_ title: String) async {
        var lines = ["", title, ""]
        lines.append(row("", stage.users.map { "sees " + String($0.id.localpart) }))
        for observer in stage.users {
            let cells = stage.users.map { observed in
                views.glimpse(of: observed.id.text, by: observer.id.text).map(DemoPlay.words) ?? "-"
            }
            lines.append(row(observer.id.text, cells))
        }
        let north = await stage.north.runtime.tally
        let south = await stage.south.runtime.tally
        let transactions = north.transactionsSent + south.transactionsSent
        let edus = north.edusSent + south.edusSent
        let states = north.statesSent + south.statesSent
        lines.append("")
        lines.append("between the servers so far: \(transactions) transactions, \(edus) EDUs, \(states) states")
        show((isTerminal ? "\u{1B}[2J\u{1B}[H" : "") + lines.joined(separator: "\n") + "\n")
        try? await Task.sleep(for: pause)
    }

    private func row(_ head: String, _ cells: [String]) -> String {
        let padded = cells.map { $0.padding(toLength: 26, withPad: " ", startingAt: 0) }
        return head.padding(toLength: 24, withPad: " ", startingAt: 0) + padded.joined()
    }

    private static func words(_ glimpse: DemoViews.Glimpse) -> String {
        let state = glimpse.presence == "org.matrix.msc3026.busy" ? "busy" : glimpse.presence
        return glimpse.text.map { "\(state), \($0)" } ?? state
    }

    private func show(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }
}
