import MatrixWire
import PresenceEngine
import PresenceModel
import PresenceRuntime

// What the engine answers, as clients read it.
extension ClientGateway {
    /// Of somebody else, known or not, as one value of a larger document.
    func write(_ knowledge: Knowledge, at now: Instant, to writer: inout JSONWriter) {
        writer.beginObject()
        writeMembers(of: knowledge, at: now, to: &writer)
        writer.endObject()
    }

    /// As members of an object that the caller has begun and will end.
    func writeMembers(of knowledge: Knowledge, at now: Instant, to writer: inout JSONWriter) {
        switch knowledge {
        case .known(let presence):
            content(of: presence, at: now).writeMembers(to: &writer, busyValue: configuration.busyValue)
        case .unknown(let reason, let since):
            unknownContent(reason, since: since).writeMembers(to: &writer)
        }
    }

    /// The events that tell a user of a batch, each a JSON object: the user's own, if it is news, and those of others.
    /// Ages count to the batch's instant.
    public func presenceEvents(in batch: PresenceRuntime.Batch, for user: UserID) -> [[UInt8]] {
        var events: [[UInt8]] = []
        if let own = batch.own {
            var writer = JSONWriter()
            content(of: own, at: batch.now).writeEvent(sender: user, to: &writer, busyValue: configuration.busyValue)
            events.append(writer.bytes)
        }
        for sighting in batch.sightings {
            var writer = JSONWriter()
            writeEvent(sighting, at: batch.now, to: &writer)
            events.append(writer.bytes)
        }
        return events
    }

    /// The event that tells of somebody else.
    func writeEvent(_ sighting: PresenceEngine.Sighting, at now: Instant, to writer: inout JSONWriter) {
        switch sighting.knowledge {
        case .known(let presence):
            content(of: presence, at: now).writeEvent(
                sender: sighting.user, to: &writer, busyValue: configuration.busyValue)
        case .unknown(let reason, let since):
            unknownContent(reason, since: since).writeEvent(sender: sighting.user, to: &writer)
        }
    }

    /// What a user is told of themself.
    func content(of own: PresenceEngine.OwnState, at now: Instant) -> PresenceContent {
        var content = content(of: own.published, at: now)
        content.statusText = own.effectiveText
        content.own = PresenceContent.Own(
            isHidden: own.effective == .hidden, chosen: own.chosen, override: own.override,
            waitingRequests: own.waitingRequests)
        return content
    }

    private func content(of presence: Presence, at now: Instant) -> PresenceContent {
        PresenceContent(
            state: presence.state, statusText: presence.statusText,
            lastActiveAgoMilliseconds: presence.coarseAgeMilliseconds(
                at: now, granularityMilliseconds: ageGranularityMilliseconds),
            deviceType: presence.deviceType)
    }

    private func unknownContent(_ reason: UnknownReason, since: Instant) -> UnknownPresenceContent {
        UnknownPresenceContent(
            reason: reason, since: since, value: configuration.unknownAs == .disabled ? .disabled : .offline)
    }
}
