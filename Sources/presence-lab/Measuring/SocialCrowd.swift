import Foundation
import PresenceModel
import SocialTransport
import SocialWire
import Synchronization

/// When each user's last heartbeat left, and how long after it friends were told.
final class SocialDelays: Sendable {
    struct Figures: Sendable {
        var heartbeats = 0
        var failures = 0
        /// Of each update, as it came.
        var milliseconds: [Double] = []

        /// Below which the share of them is.
        func delay(_ share: Double) -> Double {
            guard !milliseconds.isEmpty else { return 0 }
            return milliseconds.sorted()[min(milliseconds.count - 1, Int(Double(milliseconds.count) * share))]
        }
    }

    private struct State {
        var isOn = false
        var figures = Figures()
        /// By user: number of the heartbeat, and when it left.
        var sent: [(number: Int32, at: ContinuousClock.Instant)]
    }

    private let state: Mutex<State>

    init(users: Int) { state = Mutex(State(sent: Array(repeating: (0, .now), count: users))) }

    func start() { state.withLock { $0.isOn = true } }

    func stop() -> Figures {
        state.withLock { state in
            state.isOn = false
            return state.figures
        }
    }

    /// - Returns: the heartbeat's number, which goes along as a coordinate.
    func sending(_ user: Int) -> Int32 {
        state.withLock { state in
            let number = state.sent[user].number + 1
            state.sent[user] = (number, .now)
            if state.isOn { state.figures.heartbeats += 1 }
            return number
        }
    }

    func failed() { state.withLock { $0.figures.failures += 1 } }

    func arrived(of user: Int, number: Int32) {
        let now = ContinuousClock.now
        state.withLock { state in
            guard state.isOn, state.sent[user].number == number else { return }
            state.figures.milliseconds.append((now - state.sent[user].at) / .milliseconds(1))
        }
    }
}

/// Many users of one social service.
struct SocialCrowd: Sendable {
    /// Connections that come at once.
    private static let portion = 100

    let people: [LabUser]
    let port: Int
    let delays: SocialDelays
    private let clients = Mutexed<[SocialLoadClient]>([])

    init(people: [LabUser], port: Int) {
        self.people = people
        self.port = port
        delays = SocialDelays(users: people.count)
    }

    func connect() async throws {
        for start in stride(from: 0, to: people.count, by: SocialCrowd.portion) {
            let end = min(start + SocialCrowd.portion, people.count)
            let made = try await withThrowingTaskGroup(of: SocialLoadClient.self) { group in
                for _ in start..<end { group.addTask { try await SocialLoadClient.connect(to: port) } }
                var made: [SocialLoadClient] = []
                for try await client in group { made.append(client) }
                return made
            }
            clients.change { $0 += made }
        }
    }

    /// Every `share`th user listens from now on.
    /// - Returns: how many.
    func subscribe(each share: Int) async throws -> Int {
        let clients = clients.value
        var count = 0
        for number in stride(from: 0, to: people.count, by: share) {
            try await clients[number].listen(as: people[number]) { [delays] address, heartbeat in
                guard address.hasPrefix("user"), let user = Int(address.dropFirst(4)) else { return }
                delays.arrived(of: user, number: heartbeat)
            }
            count += 1
        }
        return count
    }

    /// Each user says where they are once in `interval`, one after the other.
    func startBeating(each interval: Duration) -> Task<Void, Never> {
        let clients = clients.value
        return Task {
            let start = ContinuousClock.now
            var count = 0
            while !Task.isCancelled {
                let due = Int((start.duration(to: .now) / interval) * Double(people.count))
                while count < due {
                    let user = count % people.count
                    count += 1
                    Task {
                        let number = delays.sending(user)
                        do {
                            try await clients[user].beat(as: people[user], x: Int32(user % 300), y: number)
                        } catch {
                            delays.failed()
                        }
                    }
                }
                try? await Task.sleep(for: .milliseconds(2))
            }
        }
    }

    func close() async {
        for client in clients.value { await client.close() }
    }
}

/// A value that is shared.
final class Mutexed<Value: Sendable>: Sendable {
    private let state: Mutex<Value>

    init(_ value: Value) { state = Mutex(value) }

    var value: Value { state.withLock { $0 } }

    func change(_ edit: (inout sending Value) -> Void) { state.withLock { edit(&$0) } }
}
