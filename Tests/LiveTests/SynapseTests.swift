import AsyncHTTPClient
import Foundation
import MatrixWire
import Testing

/// A live, unmodified Synapse on the other side. A second Synapse held presenced's name and joined the room for real;
/// presenced took over its name, port and signing key.
@Suite(.serialized, .enabled(if: LivePart.synapsePython != nil)) struct `A live Synapse` {
    @Test(.timeLimit(.minutes(5))) func `and presenced see each other's users`() async throws {
        let scene = try Scene()
        let world = try await SynapseWorld.start(in: scene)
        let presenced = try await world.takeOver(in: scene)
        let paul = try await presenced.user("paul")
        try await presenced.share("!shared:\(presenced.settings.name)", [paul.id, world.alice.id])

        // Synapse → presenced.
        for (state, text) in [("online", "at my desk"), ("unavailable", "lunch"), ("offline", nil), ("online", nil)] {
            #expect(try await world.put(world.alice, state, text: text).status == 200)
            try await presenced.waits(for: world.alice.id, toBe: state, text: text, as: paul)
        }

        // presenced → Synapse.
        for (state, text) in [("online", "over here"), ("unavailable", "tea"), ("offline", nil), ("online", nil)] {
            #expect(try await presenced.put(paul, state, text: text).status == 200)
            try await world.waits(for: paul.id, toBe: state, text: text, as: world.alice)
        }

        // The key that Synapse knew is still the one that is published.
        let client = try Scene.client(trusting: presenced.settings.authority)
        let keys = try await client.ask("GET", "\(presenced.federationURL)/_matrix/key/v2/server")
        try await client.shutdown()
        #expect(keys.json["server_name"]?.string == presenced.settings.name)
        #expect(await presenced.child.stop() == 0)
        #expect(await world.child.stop() == 0)
    }

    @Test(.timeLimit(.minutes(8)))
    func `behind a faulty network is told the truth again, and refreshed without a storm`() async throws {
        let scene = try Scene()
        let world = try await SynapseWorld.start(in: scene)
        let between = try await world.takeOverBehindProxies(in: scene)
        let presenced = between.presenced
        let paul = try await presenced.user("paul")
        try await presenced.share("!shared:\(presenced.settings.name)", [paul.id, world.alice.id])
        #expect(try await presenced.put(paul, "online", text: "before").status == 200)
        try await world.waits(for: paul.id, toBe: "online", text: "before", as: world.alice)
        #expect(try await world.put(world.alice, "online", text: "before").status == 200)
        try await presenced.waits(for: world.alice.id, toBe: "online", text: "before", as: paul)

        between.toSynapse.plan(FaultyProxy.storm(seed: 3))
        between.toPresenced.plan(FaultyProxy.storm(seed: 4))
        for round in 0..<20 {
            let state = ["unavailable", "online"][round % 2]
            #expect(try await presenced.put(paul, state, text: "round \(round)").status == 200)
            #expect(try await world.put(world.alice, state, text: "round \(round)").status == 200)
            try await presenced.listens(as: paul, for: 2)
        }
        #expect(between.toSynapse.met.count >= 4 && between.toPresenced.met.count >= 3)
        between.toSynapse.heal()
        between.toPresenced.heal()
        try await world.waits(for: paul.id, toBe: "online", text: "round 19", as: world.alice)
        // What Synapse gave up on it does not say again; what is new it says.
        #expect(try await world.put(world.alice, "unavailable", text: "after").status == 200)
        try await presenced.waits(for: world.alice.id, toBe: "unavailable", text: "after", as: paul, within: 60)

        // Nothing changes any more but that Paul is active: only a refresh can tell Synapse.
        let calm = try world.transactions(from: presenced)
        try await world.waitsForRefresh(of: paul.id) {
            #expect(try await presenced.put(paul, "online", text: "round 19").status == 200)
            try await presenced.listens(as: paul, for: 5)
        }
        let count = try world.transactions(from: presenced) - calm
        #expect(count >= 1 && count <= 6, "\(count) transactions while nothing changed")
        // Alice has not synced for long: Synapse lets her go offline, and says so.
        try await presenced.waits(for: world.alice.id, toBe: "offline", text: "after", as: paul)
        presenced.checkLog(atMost: 6)
        #expect(await presenced.child.stop() == 0)
        #expect(await world.child.stop() == 0)
        await between.toSynapse.stop()
        await between.toPresenced.stop()
    }
}
