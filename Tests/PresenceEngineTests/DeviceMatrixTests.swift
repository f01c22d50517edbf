import PresenceEngine
import PresenceModel
import PresenceTestKit
import Testing

/// What one device is by itself.
enum Alone: Sendable, CaseIterable {
    /// Its user picked busy there, and it syncs.
    case busy
    case online
    /// It syncs with `set_presence=unavailable`.
    case unavailable
    /// There is none, or it syncs with `set_presence=offline`.
    case none
}

/// One row of the matrix: two devices, and what others see.
struct MatrixRow: Sendable, CustomTestStringConvertible {
    var first: Alone
    var second: Alone
    /// With both.
    var together: PublishedState
    /// After five minutes in which nobody does anything on either; both still sync.
    var idle: PublishedState
    /// 30 s after the first stopped, and nothing else.
    var second30: PublishedState
    /// 30 s after the second stopped too.
    var gone30: PublishedState

    init(
        _ first: Alone, _ second: Alone, _ together: PublishedState, idle: PublishedState, second30: PublishedState,
        gone30: PublishedState
    ) {
        self.first = first
        self.second = second
        self.together = together
        self.idle = idle
        self.second30 = second30
        self.gone30 = gone30
    }

    var testDescription: String { "\(first) and \(second)" }

    static let all = [
        MatrixRow(.busy, .busy, .busy, idle: .busy, second30: .busy, gone30: .busy),
        MatrixRow(.busy, .online, .busy, idle: .busy, second30: .busy, gone30: .busy),
        MatrixRow(.busy, .unavailable, .busy, idle: .busy, second30: .busy, gone30: .busy),
        MatrixRow(.busy, .none, .busy, idle: .busy, second30: .busy, gone30: .busy),
        MatrixRow(.online, .busy, .busy, idle: .busy, second30: .busy, gone30: .busy),
        MatrixRow(.online, .online, .online, idle: .unavailable, second30: .online, gone30: .offline),
        MatrixRow(.online, .unavailable, .online, idle: .unavailable, second30: .unavailable, gone30: .offline),
        MatrixRow(.online, .none, .online, idle: .unavailable, second30: .offline, gone30: .offline),
        MatrixRow(.unavailable, .busy, .busy, idle: .busy, second30: .busy, gone30: .busy),
        MatrixRow(.unavailable, .online, .online, idle: .unavailable, second30: .online, gone30: .offline),
        MatrixRow(
            .unavailable, .unavailable, .unavailable, idle: .unavailable, second30: .unavailable, gone30: .offline),
        MatrixRow(.unavailable, .none, .unavailable, idle: .unavailable, second30: .offline, gone30: .offline),
        MatrixRow(.none, .busy, .busy, idle: .busy, second30: .busy, gone30: .busy),
        MatrixRow(.none, .online, .online, idle: .unavailable, second30: .online, gone30: .offline),
        MatrixRow(.none, .unavailable, .unavailable, idle: .unavailable, second30: .unavailable, gone30: .offline),
        MatrixRow(.none, .none, .offline, idle: .offline, second30: .offline, gone30: .offline),
    ]
}

/// The matrices of Synapse's device states (best of all devices: busy, online, unavailable, offline), row by row; and
/// where this server differs on purpose.
@Suite struct `Two devices make one user` {
    struct Stage {
        var bench: PresenceBench
        let alice: UserID
        let keys: [DeviceKey]
        var streams: [StreamID] = []

        init(_ row: MatrixRow? = nil) throws {
            bench = try PresenceBench()
            alice = try local("alice")
            keys = [try device("alice", "phone"), try device("alice", "watch")]
            guard let row else { return }
            for (key, alone) in zip(keys, [row.first, row.second]) {
                switch alone {
                case .busy:
                    bench.perform(.statusChosen(key, .busy, text: nil))
                    streams.append(bench.listen(on: key))
                case .online: streams.append(bench.listen(on: key))
                case .unavailable: streams.append(bench.listen(on: key, .unavailable))
                case .none: streams.append(bench.listen(on: key, .offline))
                }
            }
        }

        var state: PublishedState { bench.state(of: alice) ?? .offline }
    }

    @Test(arguments: MatrixRow.all) func `of whom the better counts, also when both turn idle`(row: MatrixRow) throws {
        var stage = try Stage(row)
        #expect(stage.state == row.together)
        stage.bench.pass(.milliseconds(299_999))
        #expect(stage.state == row.together)
        stage.bench.pass(.milliseconds(1))
        #expect(stage.state == row.idle)
    }

    @Test(arguments: MatrixRow.all) func `until one stops, and the other`(row: MatrixRow) throws {
        var stage = try Stage(row)
        stage.bench.pass(.minutes(1))
        stage.bench.perform(.streamClosed(stage.streams[0]))
        stage.bench.pass(.milliseconds(29_999))
        #expect(stage.state == row.together)
        stage.bench.pass(.milliseconds(1))
        #expect(stage.state == row.second30)
        stage.bench.perform(.streamClosed(stage.streams[1]))
        stage.bench.pass(.seconds(30))
        #expect(stage.state == row.gone30)
        // Busy lasts an hour from the last contact.
        stage.bench.pass(.minutes(58) + .milliseconds(29_999))
        #expect(stage.state == row.gone30)
        stage.bench.pass(.minutes(2))
        #expect(stage.state == .offline)
    }

    // MARK: Other than Synapse

    @Test func `other than Synapse, a choice is the user's: the latest wins over another device's`() throws {
        var stage = try Stage(MatrixRow.all[0])
        stage.bench.perform(.statusChosen(stage.keys[1], .online, text: nil))
        #expect(stage.state == .online)
        stage.bench.perform(.statusChosen(stage.keys[0], .unavailable, text: nil))
        #expect(stage.state == .unavailable)
        stage.bench.perform(.statusChosen(stage.keys[1], .offline, text: nil))
        #expect(stage.state == .offline)
    }

    @Test func `other than Synapse, a device that only syncs turns idle`() throws {
        var stage = try Stage()
        for _ in 0..<15 {
            stage.bench.perform(.deviceSynced(stage.keys[0], .online))
            stage.bench.pass(.seconds(20))
        }
        #expect(stage.state == .unavailable)
    }

    @Test func `other than Synapse, a sync that says online ends only the idleness that a sync began`() throws {
        var stage = try Stage()
        stage.bench.perform(.deviceSynced(stage.keys[0], .unavailable))
        #expect(stage.state == .unavailable)
        stage.bench.perform(.deviceSynced(stage.keys[0], .online))
        #expect(stage.state == .online)
        stage.bench.perform(.deviceReported(stage.keys[0], DeviceReport(idleness: .idle(milliseconds: 0))))
        stage.bench.perform(.deviceSynced(stage.keys[0], .online))
        #expect(stage.state == .unavailable)
        stage.bench.perform(.deviceActed(stage.keys[0]))
        #expect(stage.state == .online)
    }

    @Test func `other than Synapse, a device gone while idle comes back active`() throws {
        var stage = try Stage()
        stage.bench.perform(.deviceReported(stage.keys[0], DeviceReport(idleness: .idle(milliseconds: 600_000))))
        #expect(stage.state == .unavailable)
        stage.bench.pass(.seconds(30))
        stage.bench.perform(.deviceSynced(stage.keys[0], .online))
        #expect(stage.state == .online)
    }

    @Test func `as in Synapse, a sync neither ends busy nor a choice, and one that says offline does nothing`() throws {
        var stage = try Stage()
        stage.bench.perform(.statusChosen(stage.keys[0], .busy, text: "at work"))
        stage.bench.perform(.deviceSynced(stage.keys[0], .online))
        stage.bench.perform(.deviceSynced(stage.keys[1], .unavailable))
        #expect(stage.state == .busy)
        #expect(stage.bench.presence(of: stage.alice)?.statusText == "at work")
        stage.bench.pass(.hours(1))
        #expect(stage.state == .offline)
        stage.bench.perform(.deviceSynced(stage.keys[0], .offline))
        #expect(stage.state == .offline)
    }

    @Test func `as in Synapse, an act brings back who was idle, and nobody who chose offline`() throws {
        var stage = try Stage(MatrixRow.all[10])
        stage.bench.perform(.deviceActed(stage.keys[1]))
        #expect(stage.state == .online)
        stage.bench.perform(.statusChosen(stage.keys[0], .offline, text: nil))
        stage.bench.perform(.deviceActed(stage.keys[1]))
        #expect(stage.state == .offline)
    }
}

@Suite struct `Drawn with all letters` {
    @Test func `an idle report ends with an act, not with a sync`() throws {
        #expect(try drawn(["phone": "c-i-yy-a----u"], each: .minutes(1)) == "o-u----o----u")
        #expect(try drawn(["phone": "oI--e-----i-w"], each: .minutes(1)) == "ou--o----u--o")
    }

    @Test func `a sync that says unavailable is taken back by one that says online`() throws {
        #expect(try drawn(["phone": "c-z-y-g-v--"], each: .seconds(20)) == "o-u-o------")
        #expect(try drawn(["phone": "z--y--"], each: .seconds(10)) == "u--o--")
        #expect(try drawn(["phone": "v-----x----"], each: .seconds(10)) == "u--------x-")
    }

    @Test func `what does not touch presence leaves nobody online`() throws {
        #expect(try drawn(["phone": "t-g---"], each: .seconds(10)) == "------")
        #expect(try drawn(["phone": "og---", "watch": "xx--t"], each: .seconds(10)) == "o----")
    }

    @Test func `what a user insists on goes before what they pick, and idleness does not weaken it`() throws {
        #expect(try drawn(["phone": "oF-b------k-"], each: .minutes(1)) == "of--------b-")
        #expect(try drawn(["phone": "o3--------"], each: .minutes(1)) == "ob--o-u---")
        #expect(try drawn(["phone": "bH--k"], each: .minutes(1)) == "bx--b")
        #expect(try drawn(["phone": "oB-x---"], each: .minutes(20)) == "ob----x")
    }
}
