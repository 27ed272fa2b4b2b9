// The network of a coupling (AugmentedCouplingModel), for as many samples at once as STRIDE reals hold.
// Included inside a namespace after ResidualNetwork.h and Attention.h. No include guard: each meaning of
// `real` includes it once.

struct TransformerBlock {
    TransformerBlock(const AugmentedCouplingModel::BlockPlace& place, const double* parameters)
        : query(place.query, parameters),
          key(place.key, parameters),
          value(place.value, parameters),
          attention(place.attention, parameters),
          feedForward(place.feedForward, parameters),
          output(place.output, parameters) {}
    Layer query, key, value, attention;
    Residual feedForward;
    Layer output;
};

/** The weights of a network. Shared by all threads. */
struct Transformer {
    Transformer(const AugmentedCouplingModel& model, const AugmentedCouplingModel::CouplingPlace& place,
                const double* parameters)
        : types(model.getParticles().types), embedding(place.embedding), input(place.input, parameters) {
        const double* table = parameters + embedding;
        embeddings.assign(table, table + (size_t)model.getNumTypes() * model.getNumFeatures());
        for (const auto& block : place.blocks)
            blocks.emplace_back(block, parameters);
    }
    std::vector<int> types;
    size_t embedding;
    std::vector<Scalar> embeddings;
    Layer input;
    std::vector<TransformerBlock> blocks;
};

/** A block on its way through the particles of a few samples. */
class TransformerBlockState {
public:
    TransformerBlockState(const AttentionShape& shape, int hidden)
        : numParticles(shape.numParticles),
          first(shape.getNumFeatures(), numParticles),
          second(first),
          attention(shape),
          feedForward(hidden, numParticles) {}
    /** Add what the block makes of the features to them. */
    void evaluate(const TransformerBlock& block, Items& features, bool isKept) {
        feedForward.keep(isKept);
        first.evaluate(features);
        auto project = [&](const Layer& layer, Items& result) {
            layer.weight.multiply(first.output.begin(), numParticles, result.begin());
        };
        auto addTo = [&](int row, int v, real y) { features.at(row, v) = features.at(row, v) + y; };
        project(block.query, attention.query);
        project(block.key, attention.key);
        project(block.value, attention.value);
        attention.evaluate();
        block.attention.weight.multiply(attention.output.begin(), numParticles, addTo);
        second.evaluate(features);
        block.feedForward.first.weight.multiply(second.output.begin(), numParticles,
                                                feedForward.getArgument());
        feedForward.evaluate(block.feedForward.second, numParticles);
        block.output.weight.multiply(feedForward.output.begin(), numParticles, addTo);
    }
    /** From what the features are worth after the block to what they are worth before it. */
    void backpropagate(const TransformerBlock& block, Items& featuresAdjoint, WeightGradient* gradient) {
        attention.prepareAdjoints();
        addGradient(gradient, block.output, featuresAdjoint, feedForward.output);
        block.output.transposed.multiply(featuresAdjoint.begin(), numParticles, feedForward.adjoint.begin());
        feedForward.backpropagate(block.feedForward.second, numParticles, gradient);
        addGradient(gradient, block.feedForward.first, feedForward.adjoint, second.output);
        second.clearAdjoint();
        addToAdjoint(block.feedForward.first, feedForward.adjoint, second);
        second.backpropagate(featuresAdjoint);

        addGradient(gradient, block.attention, featuresAdjoint, attention.output);
        block.attention.transposed.multiply(featuresAdjoint.begin(), numParticles,
                                            attention.outputAdjoint.begin());
        attention.backpropagate();
        first.clearAdjoint();
        for (const auto& [layer, adjoint] : {std::pair{&block.query, &attention.queryAdjoint},
                                             {&block.key, &attention.keyAdjoint},
                                             {&block.value, &attention.valueAdjoint}}) {
            addGradient(gradient, *layer, *adjoint, first.output);
            addToAdjoint(*layer, *adjoint, first);
        }
        first.backpropagate(featuresAdjoint);
    }

private:
    void addGradient(WeightGradient* gradient, const Layer& layer, const Items& adjoint,
                     const Items& x) const {
        if (gradient != nullptr)
            gradient->add(layer.place, adjoint.begin(), x.begin(), numParticles);
    }
    void addToAdjoint(const Layer& layer, const Items& adjoint, NormalizedItems& result) const {
        layer.transposed.multiply(adjoint.begin(), numParticles, [&](int row, int v, real y) {
            result.adjoint.at(row, v) = result.adjoint.at(row, v) + y;
        });
    }
    int numParticles;
    NormalizedItems first, second;
    AttentionState attention;
    ResidualState feedForward;
};

/** Networks of one size on their way through a few samples. Each thread has its own. */
class TransformerState {
public:
    TransformerState(const AugmentedCouplingModel& model, int numInputs)
        : numParticles(model.getNumParticles()),
          numFeatures(model.getNumFeatures()),
          input(numInputs, numParticles),
          features(numFeatures, numParticles),
          shape{numParticles, model.getOptions().attentionHeads, model.getOptions().keySize},
          hidden(model.getOptions().hidden) {}
    /** The positions that the network is given, to be set before evaluate(). */
    Items& getInput() { return input; }
    /** What the network makes of them. */
    const Items& getFeatures() const { return features; }
    /** Evaluate a network; what backpropagate() needs is kept if `isKept`. */
    void evaluate(const Transformer& network, bool isKept) {
        if (isKept && argument.getNumRows() == 0)
            argument = features;
        network.input.weight.multiply(input.begin(), numParticles, features.begin());
        for (int i = 0; i < numParticles; i++) {
            const Scalar* embedding = &network.embeddings[getEmbedding(network, i)];
            real* y = features.item(i);
            for (int k = 0; k < numFeatures * STRIDE; k++) {
                const real a = y[k] + real(embedding[k / STRIDE]);
                if (isKept)
                    argument.item(i)[k] = a;
                y[k] = SILU(a);
            }
        }
        for (size_t b = 0; b < network.blocks.size(); b++)
            getState(isKept ? b : 0).evaluate(network.blocks[b], features, isKept);
    }
    /** From what the features are worth, to what the input is worth, which is returned. */
    const Items& backpropagate(const Transformer& network, Items& featuresAdjoint, WeightGradient* gradient) {
        for (int b = (int)network.blocks.size() - 1; b >= 0; b--)
            states[b].backpropagate(network.blocks[b], featuresAdjoint, gradient);
        for (int v = 0; v < numParticles * STRIDE; v++)
            for (int row = 0; row < numFeatures; row++)
                featuresAdjoint.at(row, v) = featuresAdjoint.at(row, v) * siluDerivative(argument.at(row, v));
        if (gradient != nullptr) {
            gradient->add(network.input.place, featuresAdjoint.begin(), input.begin(), numParticles);
            for (int i = 0; i < numParticles; i++)
                gradient->addRows(network.embedding + getEmbedding(network, i), featuresAdjoint, i);
        }
        if (inputAdjoint.getNumRows() == 0)
            inputAdjoint = input;
        network.input.transposed.multiply(featuresAdjoint.begin(), numParticles, inputAdjoint.begin());
        return inputAdjoint;
    }

private:
    size_t getEmbedding(const Transformer& network, int i) const {
        return (size_t)network.types[i] * numFeatures;
    }
    /** States are made when they are needed: without a gradient all blocks share one. */
    TransformerBlockState& getState(size_t b) {
        while (states.size() <= b)
            states.emplace_back(shape, hidden);
        return states[b];
    }
    int numParticles, numFeatures;
    Items input, inputAdjoint, argument, features;
    AttentionShape shape;
    int hidden;
    std::vector<TransformerBlockState> states;
};
