import FoundationEssentials
import SocialWire
import Synchronization

/// Users of a social service over one connection: all say again and again that they are there, and hear of their
/// friends; on demand, they move.
final class SocialWorld: Sendable {
    /// Between two heartbeats of one user: longer than changes are damped in Matrix.
    static let interval = Duration.seconds(15)

    private struct State {
        var client: SocialLoadClient?
        var beats: Task<Void, Never>?
        var moved: (@Sendable (String, String) -> Void)?
        var number: Int32 = 0
    }

    private let users: [LabUser]
    private let port: Int
    private let state = Mutex(State())

    init(users: [LabUser], port: Int) {
        self.users = users
        self.port = port
    }

    /// - Parameter told: whose state it is, and the state.
    func come(_ told: @escaping @Sendable (_ address: String, _ state: String) -> Void) async throws {
        let client = try await SocialLoadClient.connect(to: port)
        for user in users {
            try await client.watch(as: user) { position in
                switch position.state {
                case .away: told(position.address, "away")
                case .online: told(position.address, "online")
                default: break
                }
            }
        }
        for user in users { try await client.beat(as: user, x: 0, y: 0) }
        let beats = Task { await beat(over: client) }
        state.withLock { state in
            state.client = client
            state.beats = beats
        }
    }

    /// Each heartbeat is from elsewhere, from now on. - Parameter moved: who, and the number that is their place.
    func move(_ moved: @escaping @Sendable (_ address: String, _ number: String) -> Void) {
        state.withLock { $0.moved = moved }
    }

    /// Nobody moves any more.
    func rest() { state.withLock { $0.moved = nil } }

    func leave() async {
        let (client, beats) = state.withLock { state in
            defer { (state.client, state.beats) = (nil, nil) }
            return (state.client, state.beats)
        }
        beats?.cancel()
        await client?.close()
    }

    /// One after the other, spread over the interval.
    private func beat(over client: SocialLoadClient) async {
        var places = Array(repeating: Int32(0), count: users.count)
        let start = ContinuousClock.now
        for count in 0... as PartialRangeFrom<Int> {
            let due = start + SocialWorld.interval * Double(count) / Double(users.count)
            try? await Task.sleep(until: due)
            guard !Task.isCancelled else { return }
            let place = count % users.count
            let (moved, number) = state.withLock { state in
                state.number += 1
                return (state.moved, state.number)
            }
            let address = "world\(place)"
            if let moved {
                places[place] = number
                moved(address, String(number))
            }
            try? await client.beat(as: users[place], x: places[place], y: 0)
        }
    }
}

/// Changes under way from one side to the other, by whose they are.
final class Crossings: Sendable {
    struct Tally: Sendable {
        var begun = 0
        /// Of each that arrived.
        var milliseconds: [Double] = []

        /// Below which the share of them is.
        func delay(_ share: Double) -> Double {
            guard !milliseconds.isEmpty else { return 0 }
            return milliseconds.sorted()[min(milliseconds.count - 1, Int(Double(milliseconds.count) * share))]
        }
    }

    private struct State {
        var tally = Tally()
        var underWay: [String: (mark: String, at: ContinuousClock.Instant)] = [:]
    }

    private let state = Mutex(State())

    var tally: Tally { state.withLock { $0.tally } }

    /// A change leaves: whose, and by what it is known when it arrives.
    func begin(_ user: String, _ mark: String) {
        state.withLock { state in
            state.tally.begun += 1
            state.underWay[user] = (mark, .now)
        }
    }

    /// Several may be told of one change; the first counts.
    func arrived(_ user: String, _ mark: String) {
        let now = ContinuousClock.now
        state.withLock { state in
            guard let change = state.underWay[user], change.mark == mark else { return }
            state.underWay[user] = nil
            state.tally.milliseconds.append((now - change.at) / .milliseconds(1))
        }
    }
}
