// The network of a coupling (EquivariantCouplingModel), for as many samples at once as STRIDE reals hold.
// Included inside a namespace after ResidualNetwork.h. No include guard: each meaning of `real` includes it
// once.

struct Block {
    Block(const EquivariantCouplingModel::BlockPlace& place, const double* parameters)
        : receiver(place.receiver, parameters),
          sender(place.sender, parameters),
          distances(place.distances, parameters),
          edge(place.edge, parameters),
          gate(place.gate),
          shift(place.shift, parameters),
          shiftOutput(place.shiftOutput, parameters),
          hasCross(place.crossOutput.outputs > 0),
          node(place.node, parameters),
          nodeOutput(place.nodeOutput, parameters) {
        const double* weight = parameters + gate.weight;
        gateWeight.assign(weight, weight + gate.inputs);
        gateBias = parameters[gate.bias];
        if (hasCross) {
            cross = Residual(place.cross, parameters);
            crossOutput = Layer(place.crossOutput, parameters);
        }
    }
    Layer receiver, sender, distances, edge;
    LayerPlace gate;
    std::vector<Scalar> gateWeight;
    Scalar gateBias;
    Residual shift;
    Layer shiftOutput;
    bool hasCross;
    Residual cross;
    Layer crossOutput;
    Residual node;
    Layer nodeOutput;
};

/** The weights of a network. Shared by all threads. */
struct Network {
    Network(const EquivariantCouplingModel& model, const EquivariantCouplingModel::CouplingPlace& place,
            const double* parameters)
        : types(model.getParticles().types), conditioning(place.conditioning), embedding(place.embedding) {
        const double* first = parameters + place.embedding;
        const std::vector<double> table(first,
                                        first + (size_t)model.getNumTypes() * model.getOptions().features);
        embeddings.assign(table.begin(), table.end());
        for (const auto& block : place.blocks)
            blocks.emplace_back(block, parameters);
        firstSenderTerms = makeTerms(place.blocks[0].sender, table, parameters, model.getNumTypes());
        firstReceiverTerms = makeTerms(place.blocks[0].receiver, table, parameters, model.getNumTypes());
        const LayerPlace& node = place.blocks[0].node.first;
        firstNodeTerms = makeTerms(node, table, parameters, model.getNumTypes());
        const int numHidden = node.outputs;
        firstNode = Matrix(
            numHidden, numHidden,
            [&](int i, int j) { return parameters[node.weight + (size_t)i * node.inputs + j]; },
            [](int) { return 0.0; });
        numVectors = model.getNumVectors(place);
        const int vectorsPerCloud = numVectors / (int)place.transformed.size();
        for (int k = 0; k < numVectors; k++)
            sources.push_back(k / vectorsPerCloud % (int)conditioning.size());
    }
    /** What a layer, whose last inputs are the features, makes of those of each type. */
    static std::vector<Scalar> makeTerms(const LayerPlace& layer, const std::vector<double>& table,
                                         const double* parameters, int numTypes) {
        std::vector<Scalar> terms;
        const int features = (int)table.size() / numTypes, others = layer.inputs - features;
        for (int type = 0; type < numTypes; type++)
            for (int i = 0; i < layer.outputs; i++) {
                double sum = layer.hasBias ? parameters[layer.bias + i] : 0;
                for (int j = 0; j < features; j++)
                    sum += parameters[layer.weight + (size_t)i * layer.inputs + others + j]
                           * table[(size_t)type * features + j];
                terms.push_back((Scalar)sum);
            }
        return terms;
    }
    std::vector<int> types, conditioning;
    size_t embedding;
    std::vector<Scalar> embeddings;
    std::vector<Block> blocks;
    /** In block 0 the features are those of types, and what layers make of them is known: (types, hidden). */
    std::vector<Scalar> firstSenderTerms, firstReceiverTerms, firstNodeTerms;
    /** What is left of the first layer of `node` in block 0. */
    Matrix firstNode;
    int numVectors;
    /** For each vector, which of the conditioning clouds it starts on. */
    std::vector<int> sources;
};

/** Networks of one size on their way through a few samples. Each thread has its own. */
class NetworkState {
public:
    NetworkState(const EquivariantCouplingModel& model, int numVectors, int numClouds)
        : numParticles(model.getNumParticles()),
          numVectors(numVectors),
          numFeatures(model.getOptions().features),
          hidden(model.getOptions().hidden),
          numPairs(numVectors * (numVectors - 1) / 2),
          numDistances(std::max(numVectors, numClouds)),
          nodeInput(numFeatures + numPairs, numParticles),
          firstNodeInput(numFeatures, numParticles),
          senderTerms(hidden, numParticles),
          receiverTerms(hidden, numParticles),
          displacements(3 * numDistances, EDGES_AT_ONCE),
          lengths(numDistances, EDGES_AT_ONCE),
          weights(numDistances, EDGES_AT_ONCE),
          distances(numVectors, EDGES_AT_ONCE),
          cloudDistances(numClouds, EDGES_AT_ONCE),
          gates(1, EDGES_AT_ONCE),
          factors(numVectors, EDGES_AT_ONCE),
          crossFactors(numVectors * (numVectors - 1), numParticles),
          updateInput(hidden + numFeatures, numParticles),
          edge(hidden, EDGES_AT_ONCE),
          shift(hidden, EDGES_AT_ONCE),
          cross(hidden, numParticles),
          node(hidden, numParticles) {
        for (int b = 0; b <= model.getOptions().blocks; b++) {
            vectors.emplace_back(3 * numVectors, numParticles);
            features.emplace_back(numFeatures, numParticles);
            messages.emplace_back(hidden, numParticles);
        }
    }
    /** Evaluate a network on the points (3 a cloud, particles). */
    void evaluate(const Network& network, const Items& given) {
        points = &given;
        keep(false);
        for (int v = 0; v < numParticles * STRIDE; v++) {
            const Scalar* embedding = &network.embeddings[(size_t)network.types[v / STRIDE] * numFeatures];
            for (int f = 0; f < numFeatures; f++)
                features[0].at(f, v) = real(embedding[f]);
            for (int k = 0; k < numVectors; k++)
                vectors[0].setPoint(3 * k, v, given.point(3 * network.conditioning[network.sources[k]], v));
        }
        for (size_t b = 0; b < network.blocks.size(); b++)
            evaluateBlock(network, b);
    }
    const Items& getFeatures() const { return features.back(); }
    /** Get how far vector k has moved. */
    real3 getMove(int k, int v) const {
        return vectors.back().point(3 * k, v) - vectors.front().point(3 * k, v);
    }

    /** What the moves and the features are worth, to be set before backpropagate(). */
    void clearAdjoints() {
        if (vectorsAdjoint.getNumRows() == 0)
            prepareAdjoints();
        vectorsAdjoint.fill(0);
        featuresAdjoint.fill(0);
    }
    void addMoveAdjoint(int k, int v, real3 worth) { vectorsAdjoint.addPoint(3 * k, v, worth); }
    Items& getFeaturesAdjoint() { return featuresAdjoint; }
    /** From there to what the points are worth, which is added to `pointsAdjoint`. The network must have been
     * evaluated on these points, which must still be there. */
    void backpropagate(const Network& network, Items& pointsAdjoint, WeightGradient* gradient) {
        for (int k = 0; k < numVectors; k++)
            for (int v = 0; v < numParticles * STRIDE; v++)
                pointsAdjoint.addPoint(3 * network.conditioning[network.sources[k]], v,
                                       real(-1.0) * vectorsAdjoint.point(3 * k, v));
        keep(true);
        for (int b = (int)network.blocks.size() - 1; b >= 0; b--)
            backpropagateBlock(network, b, pointsAdjoint, gradient);
        for (int k = 0; k < numVectors; k++)
            for (int v = 0; v < numParticles * STRIDE; v++)
                pointsAdjoint.addPoint(3 * network.conditioning[network.sources[k]], v,
                                       vectorsAdjoint.point(3 * k, v));
        if (gradient != nullptr)
            for (int i = 0; i < numParticles; i++)
                gradient->addRows(network.embedding + (size_t)network.types[i] * numFeatures, featuresAdjoint,
                                  i);
    }

private:
    /** So few that what belongs to them stays in the second cache, so many that weights are read seldom. */
    static constexpr int EDGES_AT_ONCE = 6;
    /** Select a few of the N(N-1) edges, which those arrays hold that have an item for each edge. */
    void selectEdges(int first) {
        numEdges = std::min(EDGES_AT_ONCE, numParticles * (numParticles - 1) - first);
        for (int e = 0; e < numEdges; e++) {
            const int i = (first + e) / (numParticles - 1), j = (first + e) % (numParticles - 1);
            receivers[e] = i;
            senders[e] = j + (j >= i);
        }
    }
    /** Call visit() for all edges, a few at a time. */
    template <class Visit>
    void forAllEdges(const Visit& visit) {
        for (int first = 0; first < numParticles * (numParticles - 1); first += EDGES_AT_ONCE) {
            selectEdges(first);
            visit();
        }
    }
    /** The vectors of the particles that vector v of the edges goes to and comes from. */
    int getReceiver(int v) const { return receivers[v / STRIDE] * STRIDE + v % STRIDE; }
    int getSender(int v) const { return senders[v / STRIDE] * STRIDE + v % STRIDE; }
    void keep(bool isKept) {
        for (ResidualState* state : {&edge, &shift, &cross, &node})
            state->keep(isKept);
    }
    /** The displacements between particles are those of the clouds in block 0, later those of the vectors. */
    int countDisplacements(const Network& network, size_t b) const {
        return b == 0 ? (int)network.conditioning.size() : numVectors;
    }
    /** Which of them belongs to vector k. */
    static int getDisplacement(const Network& network, size_t b, int k) {
        return b == 0 ? network.sources[k] : k;
    }
    /** Where displacement d comes from, among the points or the vectors. */
    static int getDisplacementRow(const Network& network, size_t b, int d) {
        return 3 * (b == 0 ? network.conditioning[d] : d);
    }
    static real squareOf(real3 d) { return dotProduct(d, d); }
    /** What the network sees of a distance: of the order of the square where that is small, and slowly
     * growing where it is large, so that a stray particle upsets no other. */
    static real featureOf(real square) { return LOG(real(1.0) + square); }
    static real featureDerivative(real square) { return real(1.0) / (real(1.0) + square); }
    real normalizeShift() const { return real(1.0 / (numParticles - 1)); }
    real normalizeMessage() const { return real(1 / std::sqrt(numParticles - 1.0)); }

    const Items& makeNodeInput(const Block& block, size_t b) {
        Items& input = block.hasCross ? nodeInput : firstNodeInput;
        for (int v = 0; v < numParticles * STRIDE; v++) {
            for (int f = 0; f < numFeatures; f++)
                input.at(f, v) = features[b].at(f, v);
            if (!block.hasCross)
                continue;
            int row = numFeatures;
            for (int k = 0; k < numVectors; k++)
                for (int l = k + 1; l < numVectors; l++)
                    input.at(row++, v) =
                        featureOf(squareOf(vectors[b].point(3 * k, v) - vectors[b].point(3 * l, v)));
        }
        return input;
    }

    /** What the edges of a block start from: a term for each particle that sends or receives. */
    void evaluateTerms(const Network& network, size_t b) {
        const Block& block = network.blocks[b];
        if (b == 0) {
            // The features are those of the types.
            for (int v = 0; v < numParticles * STRIDE; v++) {
                const size_t first = (size_t)network.types[v / STRIDE] * hidden;
                for (int row = 0; row < hidden; row++) {
                    senderTerms.at(row, v) = real(network.firstSenderTerms[first + row]);
                    receiverTerms.at(row, v) = real(network.firstReceiverTerms[first + row]);
                }
            }
            return;
        }
        const Items& input = makeNodeInput(block, b);
        block.sender.weight.multiply(input.begin(), numParticles,
                                     [&](int row, int v, real y) { senderTerms.at(row, v) = y; });
        block.receiver.weight.multiply(input.begin(), numParticles,
                                       [&](int row, int v, real y) { receiverTerms.at(row, v) = y; });
    }

    /** The messages along the selected edges, their gates, and by what factors they move vectors. */
    void evaluateEdges(const Network& network, size_t b) {
        const Block& block = network.blocks[b];
        Items& distance = b == 0 ? cloudDistances : distances;
        const Items& origin = b == 0 ? *points : vectors[b];
        for (int d = 0; d < countDisplacements(network, b); d++) {
            const int row = getDisplacementRow(network, b, d);
            for (int v = 0; v < numEdges * STRIDE; v++) {
                const real3 displacement =
                    origin.point(row, getReceiver(v)) - origin.point(row, getSender(v));
                displacements.setPoint(3 * d, v, displacement);
                const real square = squareOf(displacement);
                distance.at(d, v) = featureOf(square);
                lengths.at(d, v) = SQRT(square);
                weights.at(d, v) = RECIP(real(1.0) + lengths.at(d, v));
            }
        }
        block.distances.weight.multiply(distance.begin(), numEdges, [&](int row, int v, real y) {
            edge.setArgument(row, v,
                             y + receiverTerms.at(row, getReceiver(v)) + senderTerms.at(row, getSender(v)));
        });
        edge.evaluate(block.edge, numEdges);
        block.shift.first.weight.multiply(edge.output.begin(), numEdges,
                                          [&](int row, int v, real y) { shift.setArgument(row, v, y); });
        shift.evaluate(block.shift.second, numEdges);
        block.shiftOutput.weight.multiply(shift.output.begin(), numEdges,
                                          [&](int k, int v, real y) { factors.at(k, v) = y; });
        for (int v = 0; v < numEdges * STRIDE; v++)
            gates.at(0, v) = sigmoid(real(block.gateBias) + sumOfProducts(block.gateWeight, edge.output, v));
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

    void evaluateBlock(const Network& network, size_t b) {
        const Block& block = network.blocks[b];
        evaluateTerms(network, b);
        Items &next = vectors[b + 1], &message = messages[b];
        next = vectors[b];
        message.fill(0);
        forAllEdges([&] {
            evaluateEdges(network, b);
            for (int v = 0; v < numEdges * STRIDE; v++) {
                const int to = getReceiver(v);
                for (int k = 0; k < numVectors; k++) {
                    const int d = getDisplacement(network, b, k);
                    next.addPoint(3 * k, to,
                                  normalizeShift() * factors.at(k, v) * weights.at(d, v)
                                      * displacements.point(3 * d, v));
                }
                const real gate = normalizeMessage() * gates.at(0, v);
                for (int row = 0; row < hidden; row++)
                    message.at(row, to) = message.at(row, to) + gate * edge.output.at(row, v);
            }
        });
        if (block.hasCross) {
            evaluateCross(block, b);
            for (int v = 0; v < numParticles * STRIDE; v++)
                forEachCross(b, v, [&](int k, int, int row, real3 d, real weight) {
                    next.addPoint(3 * k, v, crossFactors.at(row, v) * weight * d);
                });
        }
        if (b == 0) {
            network.firstNode.multiply(messages[0].begin(), numParticles, [&](int row, int v, real y) {
                const size_t term = (size_t)network.types[v / STRIDE] * hidden + row;
                node.setArgument(row, v, y + real(network.firstNodeTerms[term]));
            });
            node.evaluate(block.node.second, numParticles);
        } else
            evaluateUpdate(block, b);
        block.nodeOutput.weight.multiply(node.output.begin(), numParticles, [&](int f, int v, real y) {
            features[b + 1].at(f, v) = features[b].at(f, v) + y;
        });
    }

    void evaluateCross(const Block& block, size_t b) {
        block.cross.first.weight.multiply(messages[b].begin(), numParticles,
                                          [&](int row, int v, real y) { cross.setArgument(row, v, y); });
        cross.evaluate(block.cross.second, numParticles);
        block.crossOutput.weight.multiply(cross.output.begin(), numParticles,
                                          [&](int row, int v, real y) { crossFactors.at(row, v) = y; });
    }

    /** Call visit(k, l, row, v_k - v_l, weight) for all pairs k != l of vectors of one particle. */
    template <class Visit>
    void forEachCross(size_t b, int v, const Visit& visit) const {
        int row = 0;
        for (int k = 0; k < numVectors; k++)
            for (int l = 0; l < numVectors; l++)
                if (l != k) {
                    const real3 d = vectors[b].point(3 * k, v) - vectors[b].point(3 * l, v);
                    visit(k, l, row++, d, real(1.0 / (numVectors - 1)) / (real(1.0) + squareOf(d)));
                }
    }

    void evaluateUpdate(const Block& block, size_t b) {
        for (int v = 0; v < numParticles * STRIDE; v++) {
            for (int row = 0; row < hidden; row++)
                updateInput.at(row, v) = messages[b].at(row, v);
            for (int f = 0; f < numFeatures; f++)
                updateInput.at(hidden + f, v) = features[b].at(f, v);
        }
        block.node.first.weight.multiply(updateInput.begin(), numParticles,
                                         [&](int row, int v, real y) { node.setArgument(row, v, y); });
        node.evaluate(block.node.second, numParticles);
    }

    void prepareAdjoints() {
        vectorsAdjoint = previousAdjoint = Items(3 * numVectors, numParticles);
        featuresAdjoint = Items(numFeatures, numParticles);
        messageAdjoint = senderAdjoint = receiverAdjoint = Items(hidden, numParticles);
        crossAdjoint = Items(numVectors * (numVectors - 1), numParticles);
        factorsAdjoint = Items(numVectors, EDGES_AT_ONCE);
        gatesAdjoint = Items(1, EDGES_AT_ONCE);
        displacementsAdjoint = Items(3 * numDistances, EDGES_AT_ONCE);
        nodeInputAdjoint = Items(numFeatures + numPairs, numParticles);
    }

    void backpropagateBlock(const Network& network, size_t b, Items& pointsAdjoint,
                            WeightGradient* gradient) {
        const Block& block = network.blocks[b];
        previousAdjoint = vectorsAdjoint;
        backpropagateUpdate(block, b, gradient);
        if (block.hasCross)
            backpropagateCross(block, b, gradient);
        evaluateTerms(network, b);
        senderAdjoint.fill(0);
        receiverAdjoint.fill(0);
        forAllEdges(
            [&] { backpropagateEdges(network, b, b == 0 ? pointsAdjoint : previousAdjoint, gradient); });
        const Items& input = makeNodeInput(block, b);
        if (gradient != nullptr) {
            gradient->add(block.sender.place, senderAdjoint.begin(), input.begin(), numParticles);
            gradient->add(block.receiver.place, receiverAdjoint.begin(), input.begin(), numParticles);
        }
        block.sender.transposed.multiply(senderAdjoint.begin(), numParticles,
                                         [&](int row, int v, real y) { nodeInputAdjoint.at(row, v) = y; });
        block.receiver.transposed.multiply(
            receiverAdjoint.begin(), numParticles,
            [&](int row, int v, real y) { nodeInputAdjoint.at(row, v) = nodeInputAdjoint.at(row, v) + y; });
        for (int v = 0; v < numParticles * STRIDE; v++) {
            for (int f = 0; f < numFeatures; f++)
                featuresAdjoint.at(f, v) = featuresAdjoint.at(f, v) + nodeInputAdjoint.at(f, v);
            if (!block.hasCross)
                continue;
            int row = numFeatures;
            for (int k = 0; k < numVectors; k++)
                for (int l = k + 1; l < numVectors; l++) {
                    const real3 d = vectors[b].point(3 * k, v) - vectors[b].point(3 * l, v);
                    const real3 worth =
                        real(2.0) * nodeInputAdjoint.at(row++, v) * featureDerivative(squareOf(d)) * d;
                    previousAdjoint.addPoint(3 * k, v, worth);
                    previousAdjoint.addPoint(3 * l, v, real(-1.0) * worth);
                }
        }
        std::swap(vectorsAdjoint, previousAdjoint);
    }

    void backpropagateUpdate(const Block& block, size_t b, WeightGradient* gradient) {
        evaluateUpdate(block, b);
        if (gradient != nullptr)
            gradient->add(block.nodeOutput.place, featuresAdjoint.begin(), node.output.begin(), numParticles);
        block.nodeOutput.transposed.multiply(featuresAdjoint.begin(), numParticles,
                                             [&](int row, int v, real y) { node.adjoint.at(row, v) = y; });
        node.backpropagate(block.node.second, numParticles, gradient);
        if (gradient != nullptr)
            gradient->add(block.node.first.place, node.adjoint.begin(), updateInput.begin(), numParticles);
        block.node.first.transposed.multiply(node.adjoint.begin(), numParticles, [&](int row, int v, real y) {
            if (row < hidden)
                messageAdjoint.at(row, v) = y;
            else
                featuresAdjoint.at(row - hidden, v) = featuresAdjoint.at(row - hidden, v) + y;
        });
    }

    void backpropagateCross(const Block& block, size_t b, WeightGradient* gradient) {
        evaluateCross(block, b);
        for (int v = 0; v < numParticles * STRIDE; v++)
            forEachCross(b, v, [&](int k, int l, int row, real3 d, real weight) {
                const real3 given = vectorsAdjoint.point(3 * k, v);
                const real along = dotProduct(given, d), factor = crossFactors.at(row, v);
                crossAdjoint.at(row, v) = weight * along;
                const real3 worth =
                    factor * weight * (given - real(2.0 * (numVectors - 1)) * weight * along * d);
                previousAdjoint.addPoint(3 * k, v, worth);
                previousAdjoint.addPoint(3 * l, v, real(-1.0) * worth);
            });
        if (gradient != nullptr)
            gradient->add(block.crossOutput.place, crossAdjoint.begin(), cross.output.begin(), numParticles);
        block.crossOutput.transposed.multiply(crossAdjoint.begin(), numParticles,
                                              [&](int row, int v, real y) { cross.adjoint.at(row, v) = y; });
        cross.backpropagate(block.cross.second, numParticles, gradient);
        if (gradient != nullptr)
            gradient->add(block.cross.first.place, cross.adjoint.begin(), messages[b].begin(), numParticles);
        block.cross.first.transposed.multiply(
            cross.adjoint.begin(), numParticles,
            [&](int row, int v, real y) { messageAdjoint.at(row, v) = messageAdjoint.at(row, v) + y; });
    }

    void backpropagateEdges(const Network& network, size_t b, Items& originAdjoint,
                            WeightGradient* gradient) {
        const Block& block = network.blocks[b];
        const int count = countDisplacements(network, b);
        evaluateEdges(network, b);
        for (int v = 0; v < numEdges * STRIDE; v++)
            backpropagateShifts(network, b, v, count);
        if (gradient != nullptr)
            gradient->add(block.shiftOutput.place, factorsAdjoint.begin(), shift.output.begin(), numEdges);
        block.shiftOutput.transposed.multiply(factorsAdjoint.begin(), numEdges,
                                              [&](int row, int v, real y) { shift.adjoint.at(row, v) = y; });
        shift.backpropagate(block.shift.second, numEdges, gradient);
        if (gradient != nullptr) {
            gradient->add(block.shift.first.place, shift.adjoint.begin(), edge.output.begin(), numEdges);
            gradient->add(block.gate, gatesAdjoint.begin(), edge.output.begin(), numEdges);
        }
        block.shift.first.transposed.multiply(shift.adjoint.begin(), numEdges, [&](int row, int v, real y) {
            edge.adjoint.at(row, v) =
                y + real(block.gateWeight[row]) * gatesAdjoint.at(0, v)
                + normalizeMessage() * gates.at(0, v) * messageAdjoint.at(row, getReceiver(v));
        });
        edge.backpropagate(block.edge, numEdges, gradient);
        const Items& distance = b == 0 ? cloudDistances : distances;
        if (gradient != nullptr)
            gradient->add(block.distances.place, edge.adjoint.begin(), distance.begin(), numEdges);
        block.distances.transposed.multiply(edge.adjoint.begin(), numEdges, [&](int d, int v, real y) {
            const real3 displacement = displacements.point(3 * d, v);
            displacementsAdjoint.addPoint(
                3 * d, v, real(2.0) * y * featureDerivative(squareOf(displacement)) * displacement);
        });
        for (int v = 0; v < numEdges * STRIDE; v++) {
            const int to = getReceiver(v), from = getSender(v);
            for (int row = 0; row < hidden; row++) {
                const real worth = edge.adjoint.at(row, v);
                receiverAdjoint.at(row, to) = receiverAdjoint.at(row, to) + worth;
                senderAdjoint.at(row, from) = senderAdjoint.at(row, from) + worth;
            }
            for (int d = 0; d < count; d++) {
                const int row = getDisplacementRow(network, b, d);
                const real3 worth = displacementsAdjoint.point(3 * d, v);
                originAdjoint.addPoint(row, to, worth);
                originAdjoint.addPoint(row, from, real(-1.0) * worth);
            }
        }
    }

    /** What the factors, the gate and, in part, the displacements of an edge are worth. */
    void backpropagateShifts(const Network& network, size_t b, int v, int count) {
        const int to = getReceiver(v);
        for (int d = 0; d < count; d++)
            displacementsAdjoint.setPoint(3 * d, v, make_real3(real(0.0), real(0.0), real(0.0)));
        for (int k = 0; k < numVectors; k++) {
            const int d = getDisplacement(network, b, k);
            const real3 given = normalizeShift() * vectorsAdjoint.point(3 * k, to);
            const real3 displacement = displacements.point(3 * d, v);
            const real length = lengths.at(d, v), weight = weights.at(d, v);
            const real along = dotProduct(given, displacement);
            factorsAdjoint.at(k, v) = weight * along;
            // Two particles in one place have no direction, and their distance no slope.
            const real slope = SELECT(length > real(0.0), weight * weight * along / length, real(0.0));
            displacementsAdjoint.addPoint(3 * d, v,
                                          factors.at(k, v) * (weight * given - slope * displacement));
        }
        real sum = real(0.0);
        for (int row = 0; row < hidden; row++)
            sum = sum + messageAdjoint.at(row, to) * edge.output.at(row, v);
        const real gate = gates.at(0, v);
        gatesAdjoint.at(0, v) = normalizeMessage() * sum * gate * (real(1.0) - gate);
    }

    int numParticles, numVectors, numFeatures, hidden, numPairs, numDistances;
    const Items* points = nullptr;
    /** The selected edges. */
    int numEdges = 0, receivers[EDGES_AT_ONCE], senders[EDGES_AT_ONCE];
    /** Before each block, and after the last. */
    std::vector<Items> vectors, features, messages;
    Items nodeInput, firstNodeInput, senderTerms, receiverTerms;
    Items displacements, lengths, weights, distances, cloudDistances, gates, factors, crossFactors,
        updateInput;
    ResidualState edge, shift, cross, node;
    Items vectorsAdjoint, previousAdjoint, featuresAdjoint, messageAdjoint, senderAdjoint, receiverAdjoint,
        crossAdjoint, factorsAdjoint, gatesAdjoint, displacementsAdjoint, nodeInputAdjoint;
};
