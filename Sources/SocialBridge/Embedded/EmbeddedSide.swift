import BridgeEngine
import PresenceModel
import SocialClient
import SocialEngine
import SocialService

/// The social side where the service is this process's own.
///
/// All users' sessions are one session of the service's, ``SocialSessionID/bridge``: what it says shows users online to
/// their friends, and does not count as their being in the world.
public struct EmbeddedSide: SocialSide {
    private let population: SocialRuntime
    private let sessions: BridgedSessions

    /// In front of `population`.
    public init(_ population: SocialRuntime) {
        self.population = population
        sessions = BridgedSessions(service: EmbeddedService(population: population), credentials: NoCredentials())
    }

    /// Returns at once.
    public func carryOut(_ order: SocialOrder) { sessions.carryOut(order) }

    /// When it ends, the users whom it holds go offline soon.
    public func run(telling ears: any BridgeEars) async {
        await sessions.run(telling: ears)
        await population.sessionEnded(.bridge)
    }

    /// How it stands.
    public func report() async -> SocialSideReport { await sessions.report() }

    /// The kind of what went wrong last, also while the session is open again.
    public func latestFailure(of address: SocialAddress) async -> String? {
        await sessions.latestFailure(of: address)
    }
}

/// No service that takes any.
private struct NoCredentials: SessionCredentials {
    func credential(of user: UserID, at address: SocialAddress) throws(CredentialTrouble) -> SessionCredential {
        throw .none
    }

    func refused(_ credential: SessionCredential, of user: UserID) {}

    func changes() -> AsyncStream<UserID> { AsyncStream { $0.finish() } }
}

private struct EmbeddedService: BridgedService {
    let population: SocialRuntime

    var takesCredentials: Bool { false }
    var sessionsLimit: Int? { nil }

    func session(of user: UserID, at address: SocialAddress, with credential: SessionCredential?) -> any BridgedSession
    {
        EmbeddedSession(address: address, population: population)
    }

    func connections() -> (standing: Int, limit: Int) { (0, 0) }
}

/// One user's, in process.
private struct EmbeddedSession: BridgedSession {
    let address: SocialAddress
    let population: SocialRuntime
    private let bell = RereadBell()

    init(address: SocialAddress, population: SocialRuntime) {
        self.address = address
        self.population = population
    }

    func follow(_ tell: @escaping @Sendable (BridgedWord) async -> Void) async throws {
        await tell(.opened)
        let presence = await population.presenceUpdates(for: address, on: .bridge)
        let (beginnings, begin) = AsyncStream.makeStream(of: Void.self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                var snapshot: [FriendSighting] = []
                for await batch in presence {
                    guard batch.isSnapshot else {
                        await tell(.changed(batch.sightings))
                        continue
                    }
                    snapshot += batch.sightings
                    guard !batch.hasMore else { continue }
                    await tell(.snapshot(snapshot))
                    snapshot = []
                    begin.finish()
                }
                throw EmbeddedSession.ended
            }
            group.addTask {
                for await _ in beginnings {}
                try Task.checkCancellation()
                try await followFriendships(tell)
            }
            // Either one ends the life: half of a session is none.
            defer { group.cancelAll() }
            try await group.next()
        }
        try Task.checkCancellation()
        throw EmbeddedSession.ended
    }

    private static var ended: BridgedSessionError {
        BridgedSessionError(.lost, "the service ended the subscription")
    }

    private func followFriendships(_ tell: @escaping @Sendable (BridgedWord) async -> Void) async throws {
        while true {
            bell.clear()
            let (standing, news) = await population.followFriendships(of: address, on: .bridge)
            await tell(.read(FriendshipReading(standing)))
            let reading = Task { for await items in news { await tell(.happened(items)) } }
            bell.whenRung { reading.cancel() }
            await withTaskCancellationHandler {
                await reading.value
            } onCancel: {
                reading.cancel()
            }
            try Task.checkCancellation()
            guard bell.isRung else { throw EmbeddedSession.ended }
        }
    }

    func reread() { bell.ring() }

    func heartbeat(_ whereabouts: Whereabouts?, _ state: FriendState) async -> Bool {
        if state == .away {
            await population.heartbeatAway(of: address, on: .bridge, whereabouts: whereabouts)
        } else {
            await population.heartbeat(of: address, on: .bridge, whereabouts: whereabouts)
        }
        return true
    }

    func leave() async { await population.leave(of: address, on: .bridge) }

    func act(_ action: FriendshipAction, towards other: SocialAddress) async throws {
        do throws(FriendshipRefusal) {
            _ = try await population.act(action, by: address, towards: other)
        } catch {
            throw BridgedSessionError(.refused, "\(error)", refusal: error)
        }
    }

    func close() {}
}

extension FriendshipReading {
    fileprivate init(_ standing: StandingFriendships) {
        self.init(
            friends: standing.friends, outgoing: standing.outgoing, incoming: standing.incoming,
            blocked: standing.blocked)
    }
}
