import ArgumentParser
import Foundation
import MatrixWire
import PresenceModel
import SocialClient
import SocialEngine

// Commands that go on until they are stopped.
extension SocialCommand {
    struct Watch: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Follow friends' presence and what happens to friendships, until stopped.",
            discussion: "Connects again when the connection is lost, says so, and starts over with how things are.")

        @OptionGroup var options: SocialOptions

        func run() async throws {
            try await options.run { client in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { [options] in
                        for try await update in client.presenceUpdates() { options.print(update) }
                    }
                    group.addTask { [options] in
                        for try await update in client.friendshipUpdates() { options.print(update) }
                    }
                    defer { group.cancelAll() }
                    try await group.next()
                }
            }
        }
    }

    struct Heartbeat: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say that you are there, every 30 s until stopped, and where.")

        @OptionGroup var options: SocialOptions

        @Option(help: "The realm or world.")
        var realm: String?

        @Option(help: "The parcel, as X,Y.")
        var parcel: String?

        @Flag(help: "Say it once; the service forgets it soon after this ends.")
        var once = false

        func run() async throws {
            let whereabouts = try whereabouts()
            try await options.run { client in
                guard !once else {
                    options.print(kept: try await client.heartbeat(whereabouts))
                    return
                }
                try await client.stayOnline(at: { whereabouts }) { [options] outcome in
                    switch outcome {
                    case .success(let kept): options.print(kept: kept)
                    case .failure(let error): ConfigurationFile.complain("not said: \(error.message)")
                    }
                }
            }
        }

        private func whereabouts() throws -> Whereabouts? {
            var found: Whereabouts.Parcel?
            if let parcel {
                let parts = parcel.split(separator: ",", omittingEmptySubsequences: false).map { Int32($0) }
                guard parts.count == 2, let x = parts[0], let y = parts[1] else {
                    throw ValidationError("'\(parcel)' is no parcel: write X,Y, two whole numbers.")
                }
                found = Whereabouts.Parcel(x: x, y: y)
            }
            return realm == nil && found == nil ? nil : Whereabouts(realm: realm, parcel: found)
        }
    }
}

extension SocialOptions {
    func print(_ news: FriendshipNews) {
        let who = news.isOwn ? "you" : news.other.text
        let whom = news.isOwn ? news.other.text : "you"
        let (name, sentence): (String, String) =
            switch news.body {
            case .acted(.request(let message), _):
                ("request", "\(who) asked \(whom) to be friends" + (message.map { ": \($0)" } ?? ""))
            case .acted(.accept, _): ("accept", "\(who) and \(whom) are friends")
            case .acted(.reject, _): ("reject", "\(who) declined the request of \(whom)")
            case .acted(.cancel, _): ("cancel", "\(who) took back the request to \(whom)")
            case .acted(.delete, _): ("delete", "\(who) ended the friendship with \(whom)")
            case .acted(.block, _): ("block", "\(who) blocked \(whom)")
            case .acted(.unblock, _): ("unblock", "\(who) unblocked \(whom)")
            case .room(let room): ("room", "the room with \(news.other) is \(room)")
            }
        var message = JSONValue.null
        if case .acted(.request(let text?), _) = news.body { message = .string(text) }
        var room = JSONValue.null
        if case .room(let id) = news.body { room = .string(id.text) }
        print(
            sentence,
            [
                "event": .string(name), "address": .string(news.other.text), "own": .bool(news.isOwn),
                "message": message, "room_id": room,
            ])
    }

    fileprivate func print(_ update: PresenceUpdate) {
        switch update {
        case .snapshot(let sightings):
            print(
                "there now: \(sightings.count)",
                ["event": "snapshot", "online": .integer(Int64(sightings.count))])
            for sighting in sightings { print(sighting) }
        case .changed(let sightings):
            for sighting in sightings { print(sighting) }
        case .lost(let error):
            print(
                "the connection is lost; nobody's presence is known: \(error.message)",
                ["event": "lost", "reason": .string(error.message)])
        }
    }

    private func print(_ sighting: FriendSighting) {
        print(
            "\(sighting.friend) is \(sighting.state.rawValue)"
                + (sighting.whereabouts.map { " \(text(of: $0))" } ?? ""),
            [
                "event": "presence", "address": .string(sighting.friend.text),
                "state": .string(sighting.state.rawValue), "realm": realm(of: sighting.whereabouts),
                "x": coordinate(sighting.whereabouts?.parcel?.x), "y": coordinate(sighting.whereabouts?.parcel?.y),
            ])
    }

    fileprivate func print(_ update: FriendshipUpdate) {
        switch update {
        case .snapshot(let friendships):
            print(
                "friends: \(friendships.friends.count), requests to answer: \(friendships.incoming.count), not answered: "
                    + "\(friendships.outgoing.count)",
                [
                    "event": "friendships", "friends": .array(friendships.friends.map { .string($0.text) }),
                    "incoming": .array(friendships.incoming.map { .string($0.other.text) }),
                    "outgoing": .array(friendships.outgoing.map { .string($0.other.text) }),
                ])
        case .happened(let news):
            for one in news { print(one) }
        case .lost: break
        }
    }

    fileprivate func print(kept whereabouts: Whereabouts?) {
        print(
            "online" + (whereabouts.map { " \(text(of: $0))" } ?? ""),
            [
                "event": "heartbeat", "realm": realm(of: whereabouts), "x": coordinate(whereabouts?.parcel?.x),
                "y": coordinate(whereabouts?.parcel?.y),
            ])
    }

    private func text(of whereabouts: Whereabouts) -> String {
        let parcel = whereabouts.parcel.map { "at \($0.x),\($0.y)" }
        let realm = whereabouts.realm.map { "in \($0)" }
        return [parcel, realm].compactMap(\.self).joined(separator: " ")
    }

    private func realm(of whereabouts: Whereabouts?) -> JSONValue {
        whereabouts?.realm.map { .string($0) } ?? .null
    }

    private func coordinate(_ coordinate: Int32?) -> JSONValue { coordinate.map { .integer(Int64($0)) } ?? .null }
}
