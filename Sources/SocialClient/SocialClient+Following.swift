import PresenceModel
import SocialEngine
import SocialWire

// For whoever follows many users at once: one connection's worth, without tasks or timers that stay.
extension SocialClient {
    /// Friends' presence and friendships over one connection, for as long as it stands; it is made, or waited for,
    /// first.
    ///
    /// A snapshot of presence comes first, then one of friendships with whom the user blocked, then changes of both.
    /// Each time that `bell` rings another snapshot of friendships comes: all news told before it are in it, and what
    /// is told after it happened later, but for what happened while it was read, which may be in it and be told. So it
    /// is because a reading is the beginning of another subscription.
    ///
    /// Of a service that offers no presence, the snapshots of it are empty. One of before presenced does not name anybody
    /// in its updates: it is asked who is online every ``Configuration/askingInterval``, and another snapshot comes when
    /// that changed.
    /// - Parameter tell: of presence one after the other, and so of friendships. Never ``PresenceUpdate/lost(_:)``.
    /// - Throws: ``SocialClientError``, `CancellationError`; it does not return.
    public nonisolated func follow(
        rereading bell: RereadBell, _ tell: @escaping @Sendable (SocialUpdate) async -> Void
    ) async throws {
        let connection = try await source.connected()
        guard connection.offers("SubscribeFriendshipPresenceUpdates") else {
            return try await followFriendships(on: connection, bell) { update in
                // Before presence was thought of: nobody is ever there.
                if case .friendships(.snapshot) = update { await tell(.presence(.snapshot([]))) }
                await tell(update)
            }
        }
        let namesFriends = connection.offers("GetPrivacy")
        let begun = try await begin { try await self.presenceElements(on: connection) }
        var reader = begun.reader
        let stream = begun.elements
        await tell(.presence(begun.first))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                // Without friendships presence is not to go on.
                defer { stream.close() }
                try await self.followFriendships(on: connection, bell, tell)
            }
            if namesFriends {
                while let update = try await reader.next() { await tell(.presence(update)) }
            } else {
                try await followOnline(on: connection, begun.elements, &reader, behind: begun.first, tell)
            }
            group.cancelAll()
            do {
                try await group.waitForAll()
            } catch is CancellationError where !Task.isCancelled {
                throw SocialClientError.ended
            }
        }
        try Task.checkCancellation()
        throw SocialClientError.ended
    }

    /// What the service says of itself, and what it says when it is asked, one after the other. Returns when the service
    /// ended the subscription.
    private nonisolated func followOnline(
        on connection: SocialConnection, _ elements: SocialConnection.Elements, _ reader: inout PresenceReader,
        behind first: PresenceUpdate, _ tell: @escaping @Sendable (SocialUpdate) async -> Void
    ) async throws {
        let limit = SocialClient.unreadLimit
        let (updates, update) = AsyncStream.makeStream(
            of: PresenceUpdate.self, bufferingPolicy: .bufferingOldest(limit))
        @Sendable func put(_ news: PresenceUpdate) throws {
            guard case .dropped = update.yield(news) else { return }
            throw SocialClientError(.refused, "\(limit) updates wait to be read: too many")
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            group.addTask { for await news in updates { await tell(.presence(news)) } }
            group.addTask {
                defer { elements.close() }
                try await self.askWhoIsOnline(on: connection, behind: first, put)
            }
            while let news = try await reader.next() { try put(news) }
            group.cancelAll()
            do {
                try await group.waitForAll()
            } catch is CancellationError {
                // Asking ends with the subscription.
            }
        }
    }

    /// - Throws: when the service refuses, not when it does not answer.
    private nonisolated func askWhoIsOnline(
        on connection: SocialConnection, behind first: PresenceUpdate, _ put: @Sendable (PresenceUpdate) throws -> Void
    ) async throws {
        var told = first
        while true {
            try await Task.sleep(for: configuration.askingInterval * Double.random(in: 0.8...1.2))
            do {
                let online = try await begin { try await self.online(on: connection) }
                // In no order that means anything.
                guard Set(online) != told.friends else { continue }
                told = .snapshot(online)
                try put(told)
            } catch let error as SocialClientError where error.code.isPassing {
                continue
            }
        }
    }

    private nonisolated func followFriendships(
        on connection: SocialConnection, _ bell: RereadBell,
        _ tell: @escaping @Sendable (SocialUpdate) async -> Void
    ) async throws {
        while true {
            bell.clear()
            if let begun = try await begin({ try await self.friendshipElements(on: connection, bell) }) {
                await tell(.friendships(.snapshot(begun.first)))
                var reader = begun.reader
                while let update = try await reader.next() { await tell(.friendships(update)) }
            }
            try Task.checkCancellation()
            guard bell.isRung else { throw SocialClientError.ended }
        }
    }

    /// Not all users of a connection begin at once.
    private nonisolated func begin<Begun>(_ operation: () async throws -> Begun) async throws -> Begun {
        try await source.enter()
        do {
            let begun = try await operation()
            await source.leave()
            return begun
        } catch {
            await source.leave()
            throw error
        }
    }

    private nonisolated func presenceElements(
        on connection: SocialConnection
    ) async throws -> (elements: SocialConnection.Elements, reader: PresenceReader, first: PresenceUpdate) {
        let (elements, following) = try await presence(on: connection)
        var reader = following
        let watchdog = closeLate(elements)
        defer { watchdog.cancel() }
        guard let first = try await reader.next() else { throw SocialClientError.saidNothing }
        return (elements, reader, first)
    }

    /// - Returns: `nil` if `bell` rang meanwhile.
    private nonisolated func friendshipElements(
        on connection: SocialConnection, _ bell: RereadBell
    ) async throws -> (reader: FriendshipReader, first: Friendships)? {
        let (elements, following) = try await friendships(on: connection)
        var reader = following
        bell.whenRung { elements.close() }
        let watchdog = closeLate(elements)
        defer { watchdog.cancel() }
        guard case .snapshot(var first)? = try await reader.next() else {
            if bell.isRung { return nil }
            throw SocialClientError.saidNothing
        }
        // Behind the beginning of the subscription: a block from now on is told by it.
        if connection.offers("GetBlockedUsers") {
            first.blocked = try await users("GetBlockedUsers", payload(), on: connection)
            let blocked = Set(first.blocked)
            first.friends.removeAll { blocked.contains($0) }
        }
        return (reader, first)
    }

    /// A service that offers a stream and then says nothing must not keep others waiting.
    nonisolated func closeLate(_ elements: SocialConnection.Elements) -> Task<Void, any Error> {
        Task { [timeout = configuration.callTimeout] in
            try await Task.sleep(for: timeout)
            elements.close()
        }
    }

    nonisolated func presence(
        on connection: SocialConnection
    ) async throws -> (SocialConnection.Elements, PresenceReader) {
        let elements = try await connection.stream("SubscribeFriendshipPresenceUpdates", payload())
        guard !connection.offers("GetPrivacy") else { return (elements, PresenceReader(elements, behind: nil)) }
        return (elements, PresenceReader(elements, behind: try await online(on: connection)))
    }

    /// Friends whom the service shows online.
    private nonisolated func online(on connection: SocialConnection) async throws -> [FriendSighting] {
        try await users("GetOnlineFriends", payload(), on: connection)
            .map { FriendSighting(friend: $0, state: .online, whereabouts: nil) }
    }

    nonisolated func friendships(
        on connection: SocialConnection
    ) async throws -> (SocialConnection.Elements, FriendshipReader) {
        // First of all, so that nothing is lost between reading and listening.
        let elements = try await connection.stream("SubscribeFriendshipEventsUpdates", payload())
        guard !connection.offers("GetPrivacy") else {
            return (elements, FriendshipReader(elements, behind: nil, now: now))
        }
        return (elements, FriendshipReader(elements, behind: try await read(on: connection), now: now))
    }

    /// Friends and requests, and whom the user blocked where that is offered, asked for one after the other.
    nonisolated func read(on connection: SocialConnection) async throws -> Friendships {
        let friends = try await users("GetFriends", payload(), on: connection)
        let answer = try await SocialConnection.decode(
            connection.call("GetRequestEvents", payload()), FriendshipsRequestEventsResponse.self)
        var blocked: [SocialAddress] = []
        if connection.offers("GetBlockedUsers") {
            blocked = try await users("GetBlockedUsers", payload(), on: connection)
        }
        return Friendships(
            friends: friends, outgoing: answer.events.outgoing.requests, incoming: answer.events.incoming.requests,
            blocked: blocked)
    }
}

extension PresenceUpdate {
    fileprivate var friends: Set<FriendSighting> {
        if case .snapshot(let sightings) = self { Set(sightings) } else { [] }
    }
}

extension SocialClientError {
    static let ended = SocialClientError(.connectionLost, "the service ended the subscription")
    static let saidNothing = SocialClientError(.timedOut, "the service does not begin the subscription")
}
