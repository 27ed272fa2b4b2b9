// The edges of a block of the network of a coupling, for as many samples at once as STRIDE reals hold.
// Included inside a namespace after Network.h. No include guard: each meaning of `real` includes it once.

[[gnu::always_inline]] inline real squareOf(real3 d) {
    return dotProduct(d, d);
}

/** What the network sees of a distance: of the order of the square where that is small, and slowly growing
 * where it is large, so that a stray particle upsets no other. */
[[gnu::always_inline]] inline real featureOf(real square) {
    return LOG(real(1.0) + square);
}

[[gnu::always_inline]] inline real featureDerivative(real square) {
    return real(1.0) / (real(1.0) + square);
}

/**
 * The N(N-1) edges between particles, a few at a time. In block 0 the message between two particles of one
 * type is the same both ways, as the features and the distance are, so that one edge stands for both.
 *
 * Where particles are side by side, so are the edges from those that are as many ahead, each way for itself.
 */
class EdgeState {
public:
    EdgeState(const EquivariantCouplingModel& model, const ParticleLayout& layout, int numVectors,
              int numClouds)
        : layout(layout),
          numVectors(numVectors),
          hidden(model.getOptions().hidden),
          displacements(3 * std::max(numVectors, numClouds), EDGES_AT_ONCE),
          lengths(std::max(numVectors, numClouds), EDGES_AT_ONCE),
          weights(std::max(numVectors, numClouds), EDGES_AT_ONCE),
          distances(numVectors, EDGES_AT_ONCE),
          cloudDistances(numClouds, EDGES_AT_ONCE),
          gates(1, EDGES_AT_ONCE),
          factors(numVectors, EDGES_AT_ONCE),
          edge(hidden, EDGES_AT_ONCE),
          shift(hidden, EDGES_AT_ONCE) {
        const int numParticles = layout.getNumParticles();
        if (layout.isAcross()) {
            for (int ahead = 1; ahead < numParticles; ahead++)
                for (int i = 0; i < layout.getNumItems(); i++)
                    laterEdges.push_back({i, ahead, false});
            firstEdges = laterEdges;
            senderPoints = Items(3 * numClouds, EDGES_AT_ONCE);
            senderMoves = displacements;
            terms = Items(hidden, EDGES_AT_ONCE);
            return;
        }
        const std::vector<int>& types = model.getParticles().types;
        for (int i = 0; i < numParticles; i++)
            for (int j = 0; j < numParticles; j++) {
                const bool isMutual = types[i] == types[j];
                if (i != j)
                    laterEdges.push_back({i, j, false});
                if (i < j || (i > j && !isMutual))
                    firstEdges.push_back({i, j, isMutual});
            }
    }
    void keep(bool isKept) {
        edge.keep(isKept);
        shift.keep(isKept);
        if (isKept && factorsAdjoint.getNumRows() == 0) {
            factorsAdjoint = factors;
            gatesAdjoint = gates;
            messageAdjoint = Items(hidden, EDGES_AT_ONCE);
            displacementsAdjoint = displacements;
        }
    }
    /**
     * Select a block, and what its edges start from.
     *
     * @param points          where vectors start
     * @param moves           how far they have moved from there; in block 0, how far each cloud is from
     * `points`
     * @param senderTerms     what the first layer makes of a particle that sends,
     * @param receiverTerms   and of one that receives
     */
    void start(const Network& network, size_t b, const Items& points, const Items& moves,
               const Items& senderTerms, const Items& receiverTerms) {
        this->network = &network;
        block = &network.blocks[b];
        isFirst = b == 0;
        numDisplacements = isFirst ? (int)network.conditioning.size() : numVectors;
        this->points = &points;
        this->moves = &moves;
        this->senderTerms = &senderTerms;
        this->receiverTerms = &receiverTerms;
    }
    /** Add to moves, and add up the messages. */
    void evaluate(Items& moved, Items& messages) {
        forAllEdges([&] {
            evaluateEdges();
            for (int e = 0; e < numEdges; e++) {
                addTo(selected[e].receiver, e, 1, moved, messages);
                if (selected[e].isMutual)
                    addTo(selected[e].sender, e, -1, moved, messages);
            }
        });
    }
    /** From what the moved vectors and the messages are worth to what the origin and the terms are worth,
     * which is added: the points in block 0, or else the vectors. */
    void backpropagate(const Items& vectorsAdjoint, const Items& messagesAdjoint, Items& originAdjoint,
                       Items& senderAdjoint, Items& receiverAdjoint, WeightGradient* gradient) {
        forAllEdges([&] {
            evaluateEdges();
            for (int e = 0; e < numEdges; e++) {
                backpropagateGate(e, messagesAdjoint);
                for (int v = e * STRIDE; v < (e + 1) * STRIDE; v++)
                    backpropagateShifts(v, vectorsAdjoint);
            }
            backpropagateNetworks(gradient);
            for (int e = 0; e < numEdges; e++) {
                addRows(edge.adjoint.item(e), receiverAdjoint.item(selected[e].receiver));
                if (layout.isAcross())
                    addToSenders(e, originAdjoint, senderAdjoint);
                else
                    addRows(edge.adjoint.item(e), senderAdjoint.item(selected[e].sender));
            }
            for (int v = 0; v < numEdges * STRIDE; v++)
                for (int d = 0; d < numDisplacements; d++) {
                    const real3 worth = displacementsAdjoint.point(3 * d, v);
                    originAdjoint.addPoint(getOriginRow(d), getReceiver(v), worth);
                    if (!layout.isAcross())
                        originAdjoint.addPoint(getOriginRow(d), getSender(v), real(-1.0) * worth);
                }
        });
    }

private:
    /** So few that what belongs to them stays in the nearest caches, so many that weights are read seldom. */
    static constexpr int EDGES_AT_ONCE = 6;
    struct Edge {
        /** Particles; or, where those are side by side, the item of the receivers, and how many particles
         * ahead of them the senders are. */
        int receiver, sender;
        /** Whether it stands for the edge from receiver to sender too. */
        bool isMutual;
    };
    /** Call visit() for all edges, a few of them selected at a time. */
    template <class Visit>
    void forAllEdges(const Visit& visit) {
        const std::vector<Edge>& all = isFirst ? firstEdges : laterEdges;
        for (size_t first = 0; first < all.size(); first += EDGES_AT_ONCE) {
            numEdges = std::min(EDGES_AT_ONCE, (int)(all.size() - first));
            selected = &all[first];
            visit();
        }
    }
    /** The vectors of the particles that vector v of the edges goes to and comes from. */
    int getReceiver(int v) const { return selected[v / STRIDE].receiver * STRIDE + v % STRIDE; }
    int getSender(int v) const { return selected[v / STRIDE].sender * STRIDE + v % STRIDE; }
    /** Which displacement belongs to vector k: that of its cloud in block 0, later its own. */
    int getDisplacement(int k) const { return isFirst ? network->sources[k] : k; }
    /** The row of displacement d among the moves, and among the adjoints of what it depends on. */
    int getOriginRow(int d) const { return 3 * (isFirst ? network->conditioning[d] : d); }
    /** Where displacement d starts. */
    int getPointRow(int d) const { return 3 * network->conditioning[getSource(d)]; }
    int getSource(int d) const { return isFirst ? d : network->sources[d]; }
    real normalizeShift() const { return real(1.0 / (layout.getNumParticles() - 1)); }
    real normalizeMessage() const { return real(1 / std::sqrt(layout.getNumParticles() - 1.0)); }
    void addRows(const real* from, real* to) const {
        for (int k = 0; k < hidden * STRIDE; k++)
            to[k] = to[k] + from[k];
    }

    /** Where particles are side by side, bring what senders have next to the receivers. */
    void loadSenders() {
        for (int e = 0; e < numEdges; e++) {
            const auto& [i, ahead, isMutual] = selected[e];
            layout.copyAhead(*senderTerms, 0, hidden, i, ahead, terms, 0, e);
            for (int c = 0; c < (int)network->conditioning.size(); c++)
                layout.copyAhead(*points, 3 * network->conditioning[c], 3, i, ahead, senderPoints, 3 * c, e);
            for (int d = 0; d < numDisplacements; d++)
                layout.copyAhead(*moves, getOriginRow(d), 3, i, ahead, senderMoves, 3 * d, e);
        }
    }
    /** The way back. */
    void addToSenders(int e, Items& originAdjoint, Items& senderAdjoint) const {
        const auto& [i, ahead, isMutual] = selected[e];
        layout.addAhead(edge.adjoint, 0, hidden, e, 1, senderAdjoint, 0, i, ahead);
        for (int d = 0; d < numDisplacements; d++)
            layout.addAhead(displacementsAdjoint, 3 * d, 3, e, -1, originAdjoint, getOriginRow(d), i, ahead);
    }
    real3 getSenderPoint(int d, int v) const {
        return layout.isAcross() ? senderPoints.point(3 * getSource(d), v)
                                 : points->point(getPointRow(d), getSender(v));
    }
    real3 getSenderMove(int d, int v) const {
        return layout.isAcross() ? senderMoves.point(3 * d, v) : moves->point(getOriginRow(d), getSender(v));
    }
    /** From sender to receiver. Points and moves differ little between neighbours: each difference is as
     * exact as what it is taken of. */
    real3 getDisplacementOf(int d, int v) const {
        return points->point(getPointRow(d), getReceiver(v)) - getSenderPoint(d, v)
               + (moves->point(getOriginRow(d), getReceiver(v)) - getSenderMove(d, v));
    }
    const real* getSenderTerms(int e) const {
        return layout.isAcross() ? terms.item(e) : senderTerms->item(selected[e].sender);
    }

    /** The messages along the selected edges, their gates, and by what factors they move vectors. */
    void evaluateEdges() {
        if (layout.isAcross())
            loadSenders();
        Items& distance = isFirst ? cloudDistances : distances;
        for (int d = 0; d < numDisplacements; d++)
            for (int v = 0; v < numEdges * STRIDE; v++) {
                const real3 displacement = getDisplacementOf(d, v);
                displacements.setPoint(3 * d, v, displacement);
                const real square = squareOf(displacement);
                distance.at(d, v) = featureOf(square);
                lengths.at(d, v) = SQRT(square);
                weights.at(d, v) = RECIP(real(1.0) + lengths.at(d, v));
            }
        block->distances.weight.multiply(distance.begin(), numEdges, edge.getArgument());
        edge.evaluate(block->edge, numEdges, [&](int e) {
            const real* given = edge.getArgument() + (size_t)e * hidden * STRIDE;
            const real *receiver = receiverTerms->item(selected[e].receiver), *sender = getSenderTerms(e);
            return [=](int k) { return given[k] + receiver[k] + sender[k]; };
        });
        block->shift.first.weight.multiply(edge.output.begin(), numEdges, shift.getArgument());
        shift.evaluate(block->shift.second, numEdges);
        block->shiftOutput.weight.multiply(shift.output.begin(), numEdges, factors.begin());
        for (int v = 0; v < numEdges * STRIDE; v++)
            gates.at(0, v) =
                sigmoid(real(block->gateBias) + sumOfProducts(block->gateWeight, edge.output, v));
    }

    /** Add what edge e, `sign` times its displacement long, does to particle i. */
    void addTo(int i, int e, double sign, Items& moved, Items& messages) const {
        for (int h = 0; h < STRIDE; h++) {
            const int v = e * STRIDE + h;
            for (int k = 0; k < numVectors; k++) {
                const int d = getDisplacement(k);
                moved.addPoint(3 * k, i * STRIDE + h,
                               real(sign) * normalizeShift() * factors.at(k, v) * weights.at(d, v)
                                   * displacements.point(3 * d, v));
            }
        }
        const real* y = edge.output.item(e);
        real *message = messages.item(i), gate[STRIDE];
        for (int h = 0; h < STRIDE; h++)
            gate[h] = normalizeMessage() * gates.at(0, e * STRIDE + h);
        for (int k = 0; k < hidden * STRIDE; k++)
            message[k] = message[k] + gate[k % STRIDE] * y[k];
    }

    /** Four sums at a time, since each addition waits for the one before it. */
    real sumOfProducts(const std::vector<Scalar>& weight, const Items& x, int v) const {
        real sums[4] = {real(0.0), real(0.0), real(0.0), real(0.0)};
        int row = 0;
        for (; row + 4 <= hidden; row += 4)
            for (int k = 0; k < 4; k++)
                sums[k] = sums[k] + real(weight[row + k]) * x.at(row + k, v);
        for (; row < hidden; row++)
            sums[0] = sums[0] + real(weight[row]) * x.at(row, v);
        return (sums[0] + sums[1]) + (sums[2] + sums[3]);
    }

    /** What the message of an edge and its gate are worth. */
    void backpropagateGate(int e, const Items& messagesAdjoint) {
        const real *given = messagesAdjoint.item(selected[e].receiver),
                   *others = selected[e].isMutual ? messagesAdjoint.item(selected[e].sender) : nullptr,
                   *y = edge.output.item(e);
        real *worth = messageAdjoint.item(e), sums[STRIDE];
        for (real& sum : sums)
            sum = real(0.0);
        for (int k = 0; k < hidden * STRIDE; k++) {
            worth[k] = normalizeMessage() * (others != nullptr ? given[k] + others[k] : given[k]);
            sums[k % STRIDE] = sums[k % STRIDE] + worth[k] * y[k];
        }
        for (int h = 0; h < STRIDE; h++) {
            const real gate = gates.at(0, e * STRIDE + h);
            gatesAdjoint.at(0, e * STRIDE + h) = sums[h] * gate * (real(1.0) - gate);
        }
    }

    /** What the factors and, in part, the displacements of an edge are worth. */
    void backpropagateShifts(int v, const Items& vectorsAdjoint) {
        for (int d = 0; d < numDisplacements; d++)
            displacementsAdjoint.setPoint(3 * d, v, make_real3(real(0.0), real(0.0), real(0.0)));
        for (int k = 0; k < numVectors; k++) {
            const int d = getDisplacement(k);
            real3 given = normalizeShift() * vectorsAdjoint.point(3 * k, getReceiver(v));
            if (selected[v / STRIDE].isMutual)
                given = given - normalizeShift() * vectorsAdjoint.point(3 * k, getSender(v));
            const real3 displacement = displacements.point(3 * d, v);
            const real length = lengths.at(d, v), weight = weights.at(d, v);
            const real along = dotProduct(given, displacement);
            factorsAdjoint.at(k, v) = weight * along;
            // Two particles in one place have no direction, and their distance no slope.
            const real slope = SELECT(length > real(0.0), weight * weight * along / length, real(0.0));
            displacementsAdjoint.addPoint(3 * d, v,
                                          factors.at(k, v) * (weight * given - slope * displacement));
        }
    }

    void backpropagateNetworks(WeightGradient* gradient) {
        if (gradient != nullptr)
            gradient->add(block->shiftOutput.place, factorsAdjoint.begin(), shift.output.begin(), numEdges);
        block->shiftOutput.transposed.multiply(factorsAdjoint.begin(), numEdges, shift.adjoint.begin());
        shift.backpropagate(block->shift.second, numEdges, gradient);
        if (gradient != nullptr) {
            gradient->add(block->shift.first.place, shift.adjoint.begin(), edge.output.begin(), numEdges);
            gradient->add(block->gate, gatesAdjoint.begin(), edge.output.begin(), numEdges);
        }
        block->shift.first.transposed.multiply(shift.adjoint.begin(), numEdges, edge.adjoint.begin());
        for (int e = 0; e < numEdges; e++) {
            const real *message = messageAdjoint.item(e), *gate = gates.item(e),
                       *gateAdjoint = gatesAdjoint.item(e);
            real* worth = edge.adjoint.item(e);
            for (int i = 0; i < hidden; i++)
                for (int h = 0; h < STRIDE; h++)
                    worth[i * STRIDE + h] = worth[i * STRIDE + h]
                                            + real(block->gateWeight[i]) * gateAdjoint[h]
                                            + gate[h] * message[i * STRIDE + h];
        }
        edge.backpropagate(block->edge, numEdges, gradient);
        const Items& distance = isFirst ? cloudDistances : distances;
        if (gradient != nullptr)
            gradient->add(block->distances.place, edge.adjoint.begin(), distance.begin(), numEdges);
        block->distances.transposed.multiply(edge.adjoint.begin(), numEdges, [&](int d, int v, real y) {
            const real3 displacement = displacements.point(3 * d, v);
            displacementsAdjoint.addPoint(
                3 * d, v, real(2.0) * y * featureDerivative(squareOf(displacement)) * displacement);
        });
    }

    const ParticleLayout layout;
    int numVectors, hidden;
    const Network* network = nullptr;
    const Block* block = nullptr;
    bool isFirst = false;
    int numDisplacements = 0;
    const Items *points = nullptr, *moves = nullptr, *senderTerms = nullptr, *receiverTerms = nullptr;
    /** The edges of block 0, and of those that follow. */
    std::vector<Edge> firstEdges, laterEdges;
    /** The selected ones. */
    const Edge* selected = nullptr;
    int numEdges = 0;
    Items displacements, lengths, weights, distances, cloudDistances, gates, factors;
    ResidualState edge, shift;
    /** Of the senders of the selected edges, where particles are side by side. */
    Items senderPoints, senderMoves, terms;
    Items factorsAdjoint, gatesAdjoint, messageAdjoint, displacementsAdjoint;
};
